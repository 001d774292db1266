"""Every model becomes an ONNX file that says the same, for any number of clips and steps."""

from pathlib import Path

import numpy as np
import pytest
import torch

from imlcmm.models import list_models
from imlcmm.prediction.networks.checkpoint import CheckpointNetwork
from imlcmm.prediction.networks.network import ClipArrays
from imlcmm.prediction.networks.onnx_export import export_onnx
from imlcmm.types import MODALITIES

pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")

QUICK = ("LF_DNN", "MFN", "MISA", "Self_MM", "IMLCMM")
"""A model of each kind of part: averages, loops over steps, LSTMs of both directions, heads, attention with KAN."""


def as_arrays(batch) -> ClipArrays:
    sequences = {m: batch.sequence(m).numpy() for m in MODALITIES}
    masks = {m: mask.numpy() for m, mask in batch.masks.items()}
    return ClipArrays(sequences, masks, np.zeros((len(batch.row), 3, masks["text"].shape[1]), np.int64))


@pytest.mark.parametrize(
    "name", [each if each in QUICK else pytest.param(each, marks=pytest.mark.slow) for each in list_models()]
)
def test_an_exported_model_says_the_same(name, spec, make_batch, tmp_path):
    torch.manual_seed(0)
    network = CheckpointNetwork(list_models()[name](spec), None)
    exported = export_onnx(network, Path(tmp_path / "model.onnx"))
    lacking = make_batch(seed=2, padding=3)
    for row, m in enumerate(MODALITIES):
        lacking.masks[m][row] = False
    for batch in (make_batch(size=1), make_batch(seed=1, size=11, padding=40), lacking):
        expected, found = network(as_arrays(batch)), exported(as_arrays(batch))
        np.testing.assert_allclose(found.sentiment, expected.sentiment, atol=1e-5)
        for kind in ("unimodal", "attention"):
            ours, theirs = getattr(expected, kind), getattr(found, kind)
            assert list(ours) == list(theirs)
            for m, values in ours.items():
                np.testing.assert_allclose(theirs[m], values, atol=1e-5)
