"""Dropout by bits does what PyTorch's does, in the mean and in its gradient."""

import pytest
import torch

from imlcmm.modules.dropout import Dropout


@pytest.mark.parametrize("p", [0.1, 0.3, 0.5, 0.9])
def test_the_share_and_the_mean_are_those_of_the_probability(p):
    torch.manual_seed(0)
    dropped = Dropout(p)(torch.ones(1000, 1001))
    assert (dropped == 0).float().mean() == pytest.approx(p, abs=0.002)
    assert dropped.mean() == pytest.approx(1, abs=0.01)
    assert dropped.unique().numel() == 2


def test_neighbours_and_draws_are_independent():
    torch.manual_seed(0)
    layer, ones = Dropout(0.5), torch.ones(100_000)
    first, second = layer(ones) / 2, layer(ones) / 2
    for a, b in [(first, second), *((first[:-lag], first[lag:]) for lag in (1, 2, 3, 4, 8))]:
        assert torch.corrcoef(torch.stack([a, b]))[0, 1].abs() < 0.02


def test_the_gradient_goes_where_the_value_went():
    torch.manual_seed(0)
    x = torch.randn(7, 5, dtype=torch.float64, requires_grad=True)
    dropped = Dropout(0.4)(x)
    dropped.sum().backward()
    torch.testing.assert_close(x.grad, (dropped / x).detach())


def test_a_seed_gives_the_same_mask_whatever_the_threads():
    found = []
    for threads in (1, 2):
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        torch.manual_seed(3)
        found.append(Dropout(0.3)(torch.ones(64, 333)))
        torch.set_num_threads(before)
    assert torch.equal(*found)


@pytest.mark.parametrize("p", [0.0, 1.0])
def test_the_ends_and_evaluation(p):
    x = torch.randn(4, 4)
    torch.testing.assert_close(Dropout(p)(x), x * (1 - p))
    assert Dropout(0.5).eval()(x) is x or torch.equal(Dropout(0.5).eval()(x), x)
