"""Features of a voice."""
