"""Stage 1 of 8: from a video's pictures, sound and words to sequences of features."""
