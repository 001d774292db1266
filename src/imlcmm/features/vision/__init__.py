"""Features of a face."""
