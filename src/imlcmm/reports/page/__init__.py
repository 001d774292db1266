"""Reports as single HTML pages: pictures inside, nothing to load, light and dark."""
