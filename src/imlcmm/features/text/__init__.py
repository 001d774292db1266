"""Features of words: the hidden states of a frozen encoder."""
