"""Promised confidence and intervals against what came."""

import numpy as np
import pytest

from imlcmm.calibration import read_calibration
from imlcmm.evaluation.evaluate import evaluate
from imlcmm.reports.tables.confusion import confusion
from imlcmm.reports.tables.reliability import reliability
from imlcmm.types import MODALITIES, TARGETS


@pytest.fixture(scope="module")
def evaluation(imlcmm_run, simulated, few_resamples):
    return evaluate([imlcmm_run.load(seed) for seed in imlcmm_run.seeds], simulated, name="x")


def test_promise_and_outcome_are_counted_clip_by_clip(imlcmm_run, evaluation, simulated):
    found = {r.head: r for r in reliability(imlcmm_run, evaluation, simulated.test)}
    assert list(found) == list(TARGETS)
    calibrations = [read_calibration(seed / "best") for seed in imlcmm_run.seeds]
    promised, right, inside = [], [], []
    for calibration, predicted in zip(calibrations, evaluation.predictions["multimodal"], strict=True):
        curve = calibration.curve("multimodal", MODALITIES)
        for sentiment, label in zip(predicted.tolist(), evaluation.labels[:, 0], strict=True):
            promised.append(curve.confidence(sentiment))
            right.append((curve.value(sentiment) > 0) == (label > 0))
            low, high = curve.interval(sentiment)
            inside.append(low <= label <= high)
    m = found["multimodal"]
    assert m.confidence == pytest.approx(np.mean(promised))
    assert m.right == pytest.approx(np.mean(right))
    assert m.coverage == pytest.approx(np.mean(inside))
    assert m.low <= m.coverage <= m.high
    assert m.clips == 40
    assert [b.confidence for b in m.bins] == sorted(b.confidence for b in m.bins)
    assert all(b.low <= b.right <= b.high for b in m.bins)


def test_without_calibration_there_is_nothing_to_compare(imlcmm_run, evaluation, simulated, monkeypatch):
    monkeypatch.setattr("imlcmm.reports.tables.reliability.read_calibration", lambda folder: None)
    assert reliability(imlcmm_run, evaluation, simulated.test) == []


def test_confusion_counts_every_clip_once_a_seed(evaluation, simulated):
    found = confusion(evaluation, simulated.spec)
    edges = [-0.7, -0.1, 0.1, 0.7]
    label = evaluation.labels[:, 0]
    truly_negative = label <= np.float32(edges[0])
    assert found.counts.sum() == pytest.approx(40)
    assert found.counts[0].sum() == pytest.approx(truly_negative.sum())
    told = [(p[truly_negative] > np.float32(edges[-1])).sum() for p in evaluation.predictions["multimodal"]]
    assert found.counts[0, -1] == pytest.approx(np.mean(told))
    assert found.names[0] == "negative"
