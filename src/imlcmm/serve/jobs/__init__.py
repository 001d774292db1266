"""The jobs of the workbench: each kind's way from the database to a worker and back, and what runs them."""
