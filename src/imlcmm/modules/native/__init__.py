"""Code in C for what PyTorch is slow at on a processor, compiled on first use; without a compiler, PyTorch does it."""
