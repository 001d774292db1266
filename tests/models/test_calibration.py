"""Confidence that validation clips bear out."""

import numpy as np
import pytest

from imlcmm.calibration import Calibration, read_calibration
from imlcmm.models.calibration import calibrate, fit_curve
from imlcmm.models.iml_cmm import IMLCMM


@pytest.fixture
def errors():
    draw = np.random.default_rng(0)
    label = draw.uniform(-1, 1, 4000)
    return label + draw.normal(0, 0.4, 4000), label


def test_confidence_is_the_share_that_is_right(errors):
    predicted, label = errors
    curve = fit_curve(predicted[:2000], label[:2000])
    for low, high in ((0.0, 0.2), (0.4, 0.6), (0.9, 1.2)):
        rows = (np.abs(predicted[2000:]) >= low) & (np.abs(predicted[2000:]) < high)
        right = ((predicted[2000:] > 0) == (label[2000:] > 0))[rows].mean()
        assert np.mean([curve.confidence(p) for p in predicted[2000:][rows]]) == pytest.approx(right, abs=0.06)


def test_the_interval_holds_nine_labels_of_ten(errors):
    predicted, label = errors
    curve = fit_curve(predicted[:2000], label[:2000])
    assert (np.abs(predicted - label)[2000:] <= curve.half_width).mean() == pytest.approx(0.9, abs=0.02)


def test_predictions_without_worth_get_no_confidence():
    draw = np.random.default_rng(1)
    curve = fit_curve(draw.normal(size=1000), draw.normal(size=1000))
    assert all(0.4 < curve.confidence(p) < 0.6 for p in (0.0, 0.5, 1.0))


def test_each_set_of_modalities_has_a_curve_and_heads_too(simulated, tmp_path):
    calibration = calibrate(IMLCMM(simulated.spec, width=16), simulated.valid)
    assert len(calibration.curves) == 7 + 3
    assert calibration.modalities == ("text", "audio", "vision")
    calibration.write(tmp_path)
    assert read_calibration(tmp_path) == calibration
    assert read_calibration(tmp_path / "absent") is None
    assert calibration.curve("multimodal", ("vision", "text")) is calibration.curves["multimodal text vision"]
    assert Calibration((), {}).curve("text") is None
