"""The pickles of the field: read without running them, and written."""
