"""The layer on an outer product that is not always built."""

import pytest
import torch
from torch.nn import functional as F

from imlcmm.modules.outer_product import OuterProductLinear, dropped


@pytest.fixture(params=[3, 5], ids=["by rows", "by the product"])
def layer(request):
    torch.manual_seed(0)
    return OuterProductLinear(3, 4, request.param, dropout=0.4).double()


def test_prediction_equals_the_built_product(layer):
    first, second = torch.randn(2, 3).double(), torch.randn(2, 4).double()
    product = torch.einsum("bf,bs->bfs", first, second).flatten(1)
    torch.testing.assert_close(layer.eval()(first, second), F.linear(product, layer.weight, layer.bias))


def test_training_averages_to_the_prediction(layer):
    first, second = torch.randn(3).double(), torch.randn(4).double()
    many = layer.train()(first.expand(40_000, -1), second.expand(40_000, -1)).mean(0)
    torch.testing.assert_close(many, layer.eval()(first[None], second[None])[0], atol=0.02, rtol=0)


def test_gradients_pass_what_dropout_kept(layer):
    def run(first, second):
        torch.manual_seed(1)
        return layer.train()(first, second)

    inputs = torch.randn(2, 3).double().requires_grad_(), torch.randn(2, 4).double().requires_grad_()
    assert torch.autograd.gradcheck(run, inputs)


@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.73])
def test_as_many_entries_are_dropped_as_asked(dropout):
    torch.manual_seed(0)
    drawn = dropped(torch.Size([7, 100_003]), dropout, torch.device("cpu"))
    assert drawn.double().mean().item() == pytest.approx(dropout, abs=0.003)
