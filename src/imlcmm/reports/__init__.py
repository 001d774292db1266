"""Stage 6 of 8: tables and pictures."""
