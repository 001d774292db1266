"""What `predict` says, scored: by the curve of what each clip has, and only where there is one."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from imlcmm.calibration import Calibration, Curve
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import ModelError
from imlcmm.evaluation.calibrated import calibrated, calibration_of
from imlcmm.evaluation.evaluate import evaluate_runs
from imlcmm.models import LF_DNN
from imlcmm.training.fit import train, train_seeds
from imlcmm.training.module import Optimization
from imlcmm.types import MODALITIES


def curve(scale):
    return Curve(100, 0.5, 0.0, 1.0, knots=(-1.0, 1.0), values=(-scale, scale))


class Clips(ClipDataset):
    """Three clips in a batch, of which the last has no audio."""

    def __init__(self):
        pass

    def averaging(self, _):
        return self

    def batches(self, _):
        masks = {m: torch.ones(3, 2, dtype=torch.bool) for m in MODALITIES}
        masks["audio"][2] = False
        return [SimpleNamespace(masks=masks, row=torch.arange(3))]


def test_each_clip_is_placed_by_the_curve_of_what_it_has():
    outputs = {"multimodal": np.array([[-2.0, 0.5, 0.5]]), "text": np.array([[np.nan, 0.5, 0.5]])}
    curves = {"multimodal text audio vision": curve(0.5), "text": curve(0.1)}
    placed = calibrated([Calibration(MODALITIES, curves)], outputs, Clips())
    np.testing.assert_allclose(placed["multimodal"], [[-1.0, 0.25, 0.5]])
    np.testing.assert_allclose(placed["text"], [[np.nan, 0.05, 0.05]])
    assert outputs["multimodal"][0, 0] == -2, "what was given stays"


@pytest.fixture(scope="module")
def trained(simulated, tmp_path_factory):
    torch.manual_seed(3)
    how = Optimization(epochs=2, batch_size=16)
    return train(LF_DNN(simulated.spec), simulated, how, folder=tmp_path_factory.mktemp("run") / "a")


def test_runs_are_scored_as_predict_speaks(trained, simulated):
    raw, placed = (evaluate_runs([trained.folder], simulated, calibrated=on) for on in (False, True))
    assert "as in `predict`" in placed.markdown
    assert "as in `predict`" not in raw.markdown
    first, second = (report.evaluations[0].predictions["multimodal"] for report in (raw, placed))
    for seed, before, after in zip(trained.seeds, first, second, strict=True):
        known = calibration_of(seed / "best").curve("multimodal", MODALITIES)
        assert (known is not None and bool(known.knots)) == (not np.array_equal(before, after))


def test_seeds_are_scored_together_as_the_one_that_says_their_mean(simulated, tmp_path):
    def build():
        return LF_DNN(simulated.spec)

    run = train_seeds(build, simulated, Optimization(epochs=1), seeds=[1, 2], folder=tmp_path / "a")
    apart, together = evaluate_runs([run.folder], simulated, together=True).evaluations
    assert (apart.name, together.name) == ("a", "a, seeds together")
    expected = apart.predictions["multimodal"].mean(axis=0, keepdims=True)
    np.testing.assert_array_equal(together.predictions["multimodal"], expected)
    assert together.mean("MAE") <= apart.mean("MAE"), (
        "by convexity, the mean of outputs errs by no more than on average"
    )


def test_a_checkpoint_without_calibration_says_so(tmp_path):
    with pytest.raises(ModelError, match="no calibration: train with"):
        calibration_of(tmp_path)
