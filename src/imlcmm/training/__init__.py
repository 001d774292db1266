"""Stage 4 of 8: training, the only package that knows the training framework."""
