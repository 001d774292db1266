"""Stage 5 of 8: scores, intervals and comparisons, by the rules of each data set."""
