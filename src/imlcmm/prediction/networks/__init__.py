"""What computes the numbers of a prediction: a checkpoint with PyTorch, or an ONNX file without it."""
