"""Batches of made-up clips, small enough to train on in a moment."""

from collections.abc import Callable

import pytest
import torch

from imlcmm.types import MODALITIES, Batch, DataSpec

STEPS = {"text": 4, "audio": 6, "vision": 3}


@pytest.fixture(scope="session")
def spec() -> DataSpec:
    return DataSpec({"text": 12, "audio": 5, "vision": 7}, STEPS, train_size=24)


@pytest.fixture(scope="session")
def make_batch(spec: DataSpec) -> Callable[..., Batch]:
    def make(seed: int = 0, size: int = 8, padding: int = 0) -> Batch:
        generator = torch.Generator().manual_seed(seed)
        label = (torch.rand(size, generator=generator) * 10).round() / 5 - 1
        sequences, masks = {}, {}
        for m in MODALITIES:
            lengths = torch.randint(1, STEPS[m] + 1, (size,), generator=generator)
            masks[m] = torch.arange(STEPS[m] + padding) < lengths.unsqueeze(1)
            x = torch.randn(size, STEPS[m], spec.widths[m], generator=generator)
            sequences[m] = torch.cat([x, x.new_zeros(size, padding, x.shape[2])], 1) * masks[m].unsqueeze(-1)
        unimodal = {m: (label + 0.2 * i).clamp(-1, 1) for i, m in enumerate(MODALITIES)}
        return Batch(**sequences, masks=masks, label=label, unimodal_labels=unimodal, row=torch.arange(size))

    return make
