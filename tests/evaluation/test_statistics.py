"""Intervals and paired tests."""

import numpy as np
import pytest

from imlcmm.evaluation.statistics import bootstrap, compare, holm, interval, seed_mean, seed_weights, video_resamples


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


def test_seeds_are_drawn_with_replacement_and_shared_by_runs_of_as_many():
    weights = seed_weights(5, 4000, seed=0)
    assert weights.shape == (4000, 5)
    assert weights.sum(1) == pytest.approx(1)
    assert weights.mean(0) == pytest.approx(0.2, abs=0.01)
    assert weights.var(0) * 25 == pytest.approx(0.8, abs=0.1)
    assert np.array_equal(weights, seed_weights(5, 4000, seed=0))
    assert (seed_weights(1, 10, seed=0) == 1).all()


def test_an_interval_knows_how_much_seeds_vary():
    """Whole trainings that differ by 0.2 in their error, on videos that hardly do."""
    y, _, names = clips(4)
    steady = [y + 1.0 + 0.01 * np.sin(np.arange(len(y)))]
    varying = [y + 1.0 + shift for shift in (-0.2, -0.1, 0.0, 0.1, 0.2)]
    alone = mae_interval(steady, y, names, 500)
    together = mae_interval(varying, y, names, 500)
    assert np.ptp(alone) < 0.01
    assert np.ptp(together) == pytest.approx(2 * 1.96 * np.std([-0.2, -0.1, 0, 0.1, 0.2]) / 5**0.5, rel=0.15)


def test_a_paired_test_does_not_take_lucky_seeds_for_a_better_model():
    y, _, names = clips(5)
    first = [y + 1.0 + shift for shift in (-0.3, 0.1, 0.2, -0.2, 0.1)]
    second = [y + 1.0 + shift for shift in (0.2, -0.1, -0.2, 0.3, 0.1)]
    assert mae_difference(first, second, y, names, 500).p_value > 0.1
    shifted = [p + 0.05 for p in first]
    assert mae_difference(first, shifted, y, names, 500).p_value < 0.01


def test_a_seed_without_a_metric_leaves_the_run_without_it():
    y, p, names = clips(6, videos=6)
    scorer = lambda p, y: {"Corr": float("nan") if np.ptp(p) == 0 else float(np.corrcoef(p, y)[0, 1])}  # noqa: E731
    assert np.isnan(bootstrap(scorer, [p, np.zeros_like(y)], y, names, resamples=20)["Corr"]).all()
