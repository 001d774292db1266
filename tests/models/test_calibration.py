"""Confidence that validation clips bear out."""

import numpy as np
import pytest

from imlcmm.calibration import Calibration, Curve, read_calibration
from imlcmm.models.calibration import calibrate
from imlcmm.models.curve_fitting import fit_curve
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


@pytest.fixture(scope="module")
def uneven():
    """Labels of which the large ones, and those of short clips, are harder to tell."""
    draw = np.random.default_rng(2)
    label, steps = draw.uniform(-1, 1, 6000), draw.integers(3, 100, 6000).astype(float)
    spread = (0.1 + 0.4 * np.abs(label)) * (1 + 10 / steps)
    return 1.5 * label + draw.normal(0, 1, 6000) * spread, label, steps


def test_the_interval_holds_nine_labels_of_ten_wherever_the_prediction_lies(uneven):
    predicted, label, steps = uneven
    curve = fit_curve(predicted[:3000], label[:3000], steps=steps[:3000])
    ends = np.array([curve.interval(p, int(s)) for p, s in zip(predicted[3000:], steps[3000:], strict=True)])
    inside = (ends[:, 0] <= label[3000:]) & (label[3000:] <= ends[:, 1])
    assert inside.mean() == pytest.approx(0.9, abs=0.02)
    for third in np.array_split(np.argsort(predicted[3000:]), 3):
        assert 0.85 <= inside[third].mean() <= 0.95
    for rows in (steps[3000:] < 20, steps[3000:] >= 50):
        assert 0.83 <= inside[rows].mean() <= 0.97


def test_it_is_narrower_where_the_model_knows_more(uneven):
    predicted, label, steps = uneven
    curve = fit_curve(predicted, label, steps=steps)

    def width(sentiment, length):
        low, high = curve.interval(sentiment, length)
        return high - low

    assert width(0.0, 80) < width(0.0, 5)
    assert width(1.5, 50) < width(0.5, 50)
    assert curve.confidence(0.5, 80) > curve.confidence(0.5, 5)
    assert curve.interval(0.5, 1) == curve.interval(0.5, curve.lengths[0]), "no length beyond those seen counts"


def test_the_value_is_the_mean_label_and_so_graded_where_labels_are_not():
    draw = np.random.default_rng(3)
    predicted = draw.uniform(-1.3, 1.3, 4000)
    label = np.where(draw.uniform(size=4000) < 1 / (1 + np.exp(-3 * predicted)), 1.0, -1.0)
    curve = fit_curve(predicted, label)
    for p in (-1.0, -0.5, 0.0, 0.3, 0.9):
        assert curve.value(p) == pytest.approx(np.tanh(1.5 * p), abs=0.08)
    values = [curve.value(p) for p in np.linspace(-2, 2, 81)]
    assert values == sorted(values)


def test_few_clips_leave_the_prediction_as_it_is(errors):
    predicted, label = errors
    curve = fit_curve(predicted[:40], label[:40], steps=np.arange(40.0))
    assert (curve.knots, curve.places, curve.lengths) == ((), (), ())
    assert curve.value(0.37) == 0.37
    assert curve.interval(0.2, 9) == (0.2 - curve.half_width, 0.2 + curve.half_width)


@pytest.mark.parametrize(
    "parts",
    [
        {"knots": (0.0, 1.0), "values": (0.0,)},
        {"knots": (1.0, 0.0), "values": (0.0, 1.0)},
        {"knots": (1.0,), "values": (0.0,)},
        {"places": (0.0, 1.0), "below": (1.0, 1.0)},
        {"lengths": (0, 1, 2), "by_length": (0.0, 0.0, 0.0)},
        {"lengths": (1, 2), "by_length": (0.0, 0.0)},
    ],
)
def test_parts_that_do_not_belong_together_are_refused(parts):
    with pytest.raises(ValueError, match="do not belong together"):
        Curve(100, 0.5, 0.0, 1.0, **parts)


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
