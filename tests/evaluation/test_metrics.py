"""Metrics and rules against independent definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import f1_score, r2_score

from imlcmm.evaluation.metrics import classes, pearson, r_squared, rounded_accuracy
from imlcmm.evaluation.rules import score

vectors = arrays(np.float32, 40, elements=st.floats(-1.5, 1.5, width=32))


def sims_class(value: float, inner: list[float]) -> int:
    """The official loop over right-closed bins, in float32."""
    edges = np.array([-1.01, *inner, 1.01], dtype=np.float32)
    return next(i for i in range(len(edges) - 1) if edges[i] < value <= edges[i + 1])


@given(vectors, vectors)
def test_sims_scores_equal_the_official_loops(p, y):
    found = score("simsv2", p, y)
    p, y = np.clip(p, -1, 1), np.clip(y, -1, 1)
    for name, inner in {"Acc2": [0.0], "Acc3": [-0.1, 0.1], "Acc5": [-0.7, -0.1, 0.1, 0.7]}.items():
        a, b = ([sims_class(v, inner) for v in x] for x in (p, y))
        assert found[name] == pytest.approx(np.mean(np.equal(a, b)), abs=1e-6)
    assert found["F1"] == pytest.approx(f1_score(y > 0, p > 0, average="weighted", zero_division=0), abs=1e-6)
    assert found["MAE"] == pytest.approx(np.abs(p - y).mean(), abs=1e-6)
    if np.ptp(p) > 1e-3 and np.ptp(y) > 1e-3:
        assert found["Corr"] == pytest.approx(np.corrcoef(p, y)[0, 1], abs=1e-6)
        assert found["R2"] == pytest.approx(r2_score(y.astype(float), p.astype(float)), rel=1e-6, abs=1e-6)


@given(vectors, vectors)
def test_mosi_scores_equal_the_official_code(p, y):
    p, y = 2 * p, np.round(2 * y)
    found = score("mosi", p, y)
    for name, bound in (("Acc5", 2), ("Acc7", 3)):
        expected = np.mean([round(float(np.clip(a, -bound, bound))) == round(float(np.clip(b, -bound, bound)))
                            for a, b in zip(p, y, strict=True)])  # fmt: skip
        assert found[name] == pytest.approx(expected, abs=1e-6)
    assert found["Acc2_has0"] == pytest.approx(np.mean((p >= 0) == (y >= 0)), abs=1e-6)
    assert found["MAE"] == pytest.approx(np.abs(p - y).mean(), abs=1e-6)
    polar = y != 0
    if polar.any():
        assert found["Acc2_non0"] == pytest.approx(np.mean((p[polar] > 0) == (y[polar] > 0)), abs=1e-6)
        expected = f1_score(y[polar] > 0, p[polar] > 0, average="weighted", zero_division=0)
        assert found["F1_non0"] == pytest.approx(expected, abs=1e-6)


def test_values_on_an_edge_belong_to_the_lower_class():
    edges = (-0.7, -0.1, 0.1, 0.7)
    values = np.array([-0.7, -0.6999, -0.1, -0.0999, 0.1, 0.1001, 0.7, 0.7001], dtype=np.float32)
    assert classes(values, edges).tolist() == [0, 1, 1, 2, 2, 3, 3, 4]


def test_zero_is_negative_for_sims_and_not_for_mosi():
    p, y = np.array([0.0, 0.5]), np.array([-0.5, 0.5])
    assert score("simsv2", p, y)["Acc2"] == 1.0
    assert score("mosi", p, y)["Acc2_has0"] == 0.5


def test_weak_clips_are_chosen_by_truth_with_both_ends():
    y = np.array([-0.6, -0.4, 0.0, 0.4, 0.6], dtype=np.float32)
    p = np.array([1.0, -1.0, -1.0, -1.0, 1.0])
    assert score("simsv2", p, y)["Acc2_weak"] == pytest.approx(2 / 3)


def test_rounding_is_half_to_even():
    p = np.array([0.5, 1.5, -0.5, 2.5])
    assert rounded_accuracy(p, np.array([0.0, 2.0, 0.0, 2.0]), 3) == 1.0


def test_predictions_are_clipped_before_sims_metrics():
    assert score("sims", np.array([3.0, -1.0]), np.array([1.0, -1.0]))["MAE"] == 0.0


def test_constant_predictions_have_no_correlation():
    assert np.isnan(pearson(np.ones(4), np.arange(4.0)))
    assert r_squared(np.full(4, 1.5), np.arange(4.0)) == 0.0


def test_clips_without_a_number_do_not_count():
    found = score("simsv2", np.array([0.5, np.nan, 1.0]), np.array([0.5, 1.0, np.nan]))
    assert found["MAE"] == 0.0
