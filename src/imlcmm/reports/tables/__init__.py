"""Tables and pictures of scores."""
