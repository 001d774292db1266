"""Jobs for worker processes: some go well, some fail in one way each."""

import os
import time

from imlcmm.errors import DataError
from imlcmm.jobs.workers import Limits

LIMITS = Limits(seconds=3.0, gigabytes=1.0)


def prepare(done):
    def do(job, tell):
        if job == "slow":
            for step in range(8):
                time.sleep(1)
                tell(step)
        if job == "mistake":
            raise DataError("this clip is damaged")
        if job == "bug":
            raise KeyError("x")
        if job == "crash":
            os.abort()
        if job == "hang":
            time.sleep(60)
        if job == "fat":
            block = bytearray(3 * 2**30)
            block[::4096] = b"x" * len(block[::4096])
            time.sleep(300)
        (done / job).touch()

    return do


def refuse():
    raise DataError("the model file is missing")


def with_bar():
    from tqdm import tqdm

    return lambda job, tell: list(tqdm(range(3), disable=True)) and None
