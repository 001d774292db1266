"""Finding speech in a sound, and recognising it."""
