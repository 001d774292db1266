"""Ranks on resamples, and which models cannot be told apart."""

import numpy as np
import pytest

from imlcmm.evaluation.ranks import mean_draws, rank
from imlcmm.evaluation.rules import absolute_errors, score
from imlcmm.evaluation.statistics import bootstrap

NAMES = ["far", "near", "best", "twin"]


@pytest.fixture
def errors():
    """Errors (models, seeds, clips) of twenty videos; the best and its twin differ by chance alone."""
    draw = np.random.default_rng(0)
    shared = np.repeat(draw.uniform(0, 0.2, 20), 5)
    means = (0.9, 0.5, 0.3, 0.3)
    return np.stack([mean + shared + draw.normal(0, 0.1, (3, 100)) for mean in means])


@pytest.fixture
def videos():
    return [f"video {i // 5}" for i in range(100)]


def test_ranks_and_bars_follow_the_errors(errors, videos):
    draws = np.stack([mean_draws(each, videos, resamples=2000) for each in errors])
    found = rank(NAMES, draws, errors.mean((1, 2)).tolist())
    assert set(found.names[:2]) == {"best", "twin"}
    assert list(found.names[2:]) == ["near", "far"]
    assert found.ranks[2:] == [3.0, 4.0]
    assert sum(found.ranks) == pytest.approx(10)
    assert found.groups == [[0, 1]]
    assert len(found.pairs) == 6


def test_who_is_alike_with_two_is_on_two_bars():
    """Of three models in a row, each is like the next one, and the first is not like the last."""
    noise = np.random.default_rng(1).normal(size=(3, 4000))
    whole = [0.0, 2.5, 5.0]
    found = rank(["a", "b", "c"], np.array(whole)[:, None] + noise, whole)
    assert found.groups == [[0, 1], [1, 2]]


def test_equal_models_share_their_rank():
    same = np.tile(np.random.default_rng(2).normal(size=500), (3, 1))
    found = rank(["a", "b", "c"], same, [0.0, 0.0, 0.0])
    assert found.ranks == [2.0, 2.0, 2.0]
    assert found.groups == [[0, 1, 2]]


def test_the_draws_are_those_of_the_bootstrap(errors, videos):
    mean = lambda p, _: {"MAE": float(p.mean())}  # noqa: E731
    slow = bootstrap(mean, list(errors[0]), np.zeros(100), videos, resamples=50)["MAE"]
    np.testing.assert_allclose(mean_draws(errors[0], videos, resamples=50), slow)


@pytest.mark.parametrize("kind", ["simsv2", "mosi"])
def test_the_errors_are_those_of_the_rules(kind):
    draw = np.random.default_rng(3)
    p, y = draw.uniform(-2, 2, 40), draw.uniform(-1, 1, 40)
    y[3], p[5] = np.nan, np.nan
    found = absolute_errors(kind, p, y)
    assert np.isnan(found).sum() == 2
    assert np.nanmean(found) == pytest.approx(score(kind, p, y)["MAE"], rel=1e-5)
