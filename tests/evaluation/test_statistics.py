"""Intervals and paired tests."""

import numpy as np
import pytest

from imlcmm.evaluation.statistics import bootstrap, compare, holm, interval, seed_mean, video_resamples


def mae_interval(predictions, y, names, resamples=1000):
    return interval(bootstrap(mae, predictions, y, names, resamples=resamples)["MAE"])


def mae_difference(first, second, y, names, resamples):
    draws = [bootstrap(mae, p, y, names, resamples=resamples)["MAE"] for p in (first, second)]
    return compare(seed_mean(mae, first, y)["MAE"] - seed_mean(mae, second, y)["MAE"], *draws)


def mae(p, y):
    return {"MAE": float(np.abs(p - y).mean())}


def clips(seed, videos=60, size=5, effect=0.0):
    generator = np.random.default_rng(seed)
    names = np.repeat([f"v{i}" for i in range(videos)], size).tolist()
    y = generator.normal(size=videos * size)
    shared = np.repeat(generator.normal(size=videos), size)
    return y, y + shared + effect * generator.normal(size=len(y)), names


def test_videos_are_resampled_whole():
    names = ["a", "b", "a", "c"]
    for rows in video_resamples(names, 20, seed=0):
        counts = np.bincount(rows, minlength=4)
        assert counts[0] == counts[2]
        assert counts[0] + counts[1] + counts[3] == 3


def test_intervals_cover_the_truth():
    """The error is |shared| of a standard normal video effect, whose mean is sqrt(2/pi)."""
    inside = 0
    for seed in range(60):
        y, p, names = clips(seed)
        low, high = mae_interval([p], y, names, 200)
        inside += low < np.sqrt(2 / np.pi) < high
    assert 50 <= inside <= 60


def test_clustering_widens_the_interval():
    y, p, names = clips(0)
    clustered = mae_interval([p], y, names, 300)
    single = mae_interval([p], y, [str(i) for i in range(len(y))], 300)
    assert np.ptp(clustered) > 1.5 * np.ptp(single)


def test_a_paired_test_finds_a_difference_and_only_that():
    y, p, names = clips(1)
    better = mae_difference([0.8 * p + 0.2 * y], [p], y, names, 300)
    assert better.difference < 0
    assert better.high < 0
    assert better.p_value < 0.02
    generator = np.random.default_rng(5)
    noisy = [[p + 0.05 * generator.normal(size=len(p))] for _ in range(2)]
    alike = mae_difference(*noisy, y, names, 300)
    assert alike.p_value > 0.05


def test_the_same_seed_draws_the_same_interval():
    y, p, names = clips(2)
    assert mae_interval([p], y, names) == mae_interval([p], y, names)


def test_intervals_average_over_seeds():
    y, p, names = clips(3)
    low, high = mae_interval([p, y], y, names, 200)
    assert low < mae(p, y)["MAE"] / 2 < high
    assert mae_difference([p, y], [p, y], y, names, 50).difference == pytest.approx(0)


def test_holm_adjusts_as_in_the_textbook():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
