"""What each input adds to a KAN layer's output."""

import pytest
import torch

from imlcmm.modules.kan import KAN


@pytest.fixture(params=["uniform", "adapted"])
def layer(request):
    torch.manual_seed(0)
    kan = KAN(5, 4, grid_range=(-2.0, 2.0))
    if request.param == "adapted":
        kan.update_grid(torch.randn(200, 5))
    return kan


def test_contributions_sum_to_the_output(layer):
    x, direction = torch.randn(30, 5), torch.randn(30, 4)
    expected = (layer(x) * direction).sum(-1)
    torch.testing.assert_close(layer.contributions(x, direction).sum(-1), expected, atol=1e-5, rtol=1e-5)


def test_a_contribution_is_the_change_of_the_output_when_one_input_moves(layer):
    direction, moved = torch.randn(1, 4), torch.zeros(21, 5)
    moved[:, 2] = torch.linspace(-3, 3, 21)
    expected = ((layer(moved) - layer(torch.zeros(1, 5))) @ direction.T).squeeze(-1)
    found = layer.contributions(moved, direction.expand(21, -1))
    torch.testing.assert_close(found[:, 2] - found[10, 2], expected, atol=1e-5, rtol=1e-5)
    assert (found[:, [0, 1, 3, 4]] == found[0, [0, 1, 3, 4]]).all()
