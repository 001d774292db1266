"""A module of somebody's own models that breaks scoring at some files, in worker processes alone."""

import multiprocessing
import os
import time

from imlcmm.features.media import recording
from imlcmm.models import LF_DNN


class Own(LF_DNN):
    """Makes the module one of models."""


def _breaking(path, *arguments, **options):
    if path.name == "crash.wav":
        os.abort()
    if path.name == "hang.wav":
        time.sleep(600)
    return _probe(path, *arguments, **options)


_probe = recording.probe
if multiprocessing.parent_process() is not None:
    recording.probe = _breaking
