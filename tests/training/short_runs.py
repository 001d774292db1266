"""Trainings that take a second: what several test files train."""

import torch

from imlcmm.models import IMLCMM
from imlcmm.training.fit import TrainerOptions
from imlcmm.training.module import Optimization

QUIET = TrainerOptions(accelerator="cpu", progress=False)
SHORT = Optimization(lr=1e-3, epochs=4, seed=7)
SMALL = {"width": 16, "tokens": 2, "heads": 2, "feedforward": 16, "fusion_depth": 1}


def small(data, **options):
    torch.manual_seed(7)
    return IMLCMM(data.spec, **SMALL, **options)
