"""Threads of a process among several."""

import os
import sys


def use_one_thread() -> None:
    """Compute on one thread from here on, so that the number of processes changes no digit; PyTorch may come later."""
    os.environ["OMP_NUM_THREADS"] = "1"
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
