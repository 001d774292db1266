"""The store that training reads: arrays mapped from disk, checked before use."""
