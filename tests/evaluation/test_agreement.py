"""Krippendorff's alpha against his own example, and against pairs counted one by one."""

from itertools import permutations

import numpy as np
import pytest

from imlcmm.evaluation.agreement import krippendorff_alpha

NAN = np.nan


def test_the_published_example():
    # Three coders, fifteen units, with missing values (Krippendorff 2011; interval alpha .811).
    table = np.array([
        [NAN, NAN, NAN, NAN, NAN, 3, 4, 1, 2, 1, 1, 3, 3, NAN, 3],
        [1, NAN, 2, 1, 3, 3, 4, 3, NAN, NAN, NAN, NAN, NAN, NAN, NAN],
        [NAN, NAN, 2, 1, 3, 4, 4, NAN, 2, 1, 1, 3, 3, NAN, 4],
    ])  # fmt: skip
    assert krippendorff_alpha(table) == pytest.approx(0.811, abs=5e-4)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_counting_pairs_gives(seed):
    draw = np.random.default_rng(seed)
    table = draw.choice([-0.8, -0.4, 0.0, 0.4, 0.8], size=(4, 12))
    table[draw.random(table.shape) < 0.4] = np.nan
    units = [column[np.isfinite(column)] for column in table.T]
    units = [unit for unit in units if len(unit) >= 2]
    everything = np.concatenate(units)
    n = len(everything)
    within = sum(sum((a - b) ** 2 for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units) / n
    between = sum((a - b) ** 2 for a, b in permutations(everything, 2)) / (n * (n - 1))
    assert krippendorff_alpha(table) == pytest.approx(1 - within / between)


def test_the_ends():
    same = np.array([[0.0, 0.4, 0.8], [0.0, 0.4, 0.8]])
    assert krippendorff_alpha(same) == pytest.approx(1.0)
    assert krippendorff_alpha(same[::-1] * [[1], [-1]]) < 0
    assert krippendorff_alpha(np.zeros((2, 3))) is None
    assert krippendorff_alpha(np.array([[0.1, NAN], [NAN, 0.2]])) is None
    assert krippendorff_alpha(np.zeros((0, 0))) is None
