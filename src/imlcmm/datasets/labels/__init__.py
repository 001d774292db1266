"""Label files of clips, however their authors saved them."""
