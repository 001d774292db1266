"""The pages, and the files that they need."""
