"""The tables by which `benchmarks/parity.py` holds our models against the reference's."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from parity import Comparison, collapsed, nested, relative, states
from parity_inputs import ENCODERS, clip, feed, make_batch, neighbours, write_encoder
from parity_tables import TWINS, columns, rows

from imlcmm.types import MODALITIES


@pytest.fixture(scope="module")
def encoders(tmp_path_factory):
    pytest.importorskip("transformers", reason="the extra 'bert' is not installed")
    folder = tmp_path_factory.mktemp("encoders")
    for name, width in ENCODERS.items():
        write_encoder(folder / name, width)
    return folder


@pytest.mark.parametrize("name", TWINS)
def test_every_weight_of_ours_is_paired_once_or_said_to_be_alone(name, encoders):
    comparison = Comparison(name, encoders, {}, {})
    paired = [pair.ours for pair in comparison.pairs]
    alone = [pattern.removesuffix("*") for pattern in TWINS[name].ours_alone]
    assert len(paired) == len(set(paired))
    assert {n for n in states(comparison.build()) if not n.startswith(tuple(alone) or ("-",))} == set(paired)


def test_parts_of_a_weight_keep_their_values():
    weight = np.arange(18.0).reshape(6, 3)
    assert np.array_equal(np.concatenate([rows(0, 1, 3)(weight), rows(1, 3, 3)(weight)]), weight)
    assert columns((1, 2), (1, 0))(weight)[0].tolist() == [1, 2, 0]


def test_frames_are_ordered_so_that_every_nth_is_a_neighbour():
    batch = clip(make_batch(TWINS["Graph_MFN"], "padded"), 1)
    ordered = neighbours(batch.audio, 5)
    windows = ordered.unflatten(1, (2, 5)).mean(1)  # as the reference averages
    assert relative(windows[:, 0].numpy(), batch.audio[:, :2].mean(1).numpy()) < 1e-6
    assert relative(windows[:, 4].numpy(), batch.audio[:, 8].numpy()) < 1e-6  # the last frame, twice


def test_means_are_over_real_frames_unless_raw():
    batch = make_batch(TWINS["LF_DNN"], "padded")
    real = feed(TWINS["LF_DNN"], batch)["audio"]
    raw = feed(TWINS["LF_DNN"], batch, raw=True)["audio"]
    assert real.shape == raw.shape == (len(batch.label), 1, batch.audio.shape[2])
    ratio = batch.masks["audio"].float().mean(1).numpy()
    np.testing.assert_allclose(raw[:, 0], real[:, 0] * ratio[:, None], rtol=1e-5)


def test_options_and_names_are_written_as_meant():
    assert nested({"encoders.text_out": 3, "rank": 2}) == {"encoders": {"text_out": 3}, "rank": 2}
    names = [f"heads.{m}.weight" for m in MODALITIES]
    assert collapsed(names, [*names, "fusion.bias"]) == "`heads.*`"
    assert collapsed(names[:1], names) == "`heads.text.*`"
