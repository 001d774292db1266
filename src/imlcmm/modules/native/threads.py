"""Deal work in C out over as many threads as PyTorch has; the C code lets go of Python's lock."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import torch

from imlcmm.errors import ModelError

# Rows and columns that the products in C take at a time.
BLOCK = 32


def in_threads(count: int, size: int, job: Callable[[int, int], int]) -> None:
    """Do a job for ranges of `size` of `count` things, or for all at once on one thread.

    Raises:
        ModelError: The job returned other than 0, for want of memory.
    """
    threads = min(torch.get_num_threads(), -(-count // size))
    if threads <= 1:
        failed = job(0, count)
    else:
        with ThreadPoolExecutor(threads) as pool:
            failed = max(pool.map(lambda first: job(first, min(first + size, count)), range(0, count, size)))
    if failed:
        raise ModelError("there is not enough memory for this batch; take a smaller batch size")


def share(rows: int) -> int:
    """Give each thread one range of rows, in whole blocks: the right factor is laid out once for each range."""
    return max(1, -(-rows // torch.get_num_threads() // BLOCK)) * BLOCK
