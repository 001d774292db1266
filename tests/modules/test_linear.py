"""Linear layers in C give what PyTorch's give, and training goes on without them."""

import pytest
import torch

from imlcmm.modules.linear import Linear
from imlcmm.modules.native import linear_layer
from native import same_on_threads, with_gradients


@pytest.fixture
def compiled():
    found = linear_layer._library()
    if found is None:
        pytest.skip("needs a processor with AMX and a compiler")
    return found


def draw(rows, inputs, outputs, bias=True):
    torch.manual_seed(0)
    return Linear(inputs, outputs, bias=bias), torch.randn(rows, inputs), torch.randn(rows, outputs)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rows", "inputs", "outputs"), [(256, 32, 32), (1025, 64, 96), (300, 128, 32)])
def test_values_and_gradients_are_those_of_float64(compiled, rows, inputs, outputs, bias):
    layer, x, slope = draw(rows, inputs, outputs, bias)
    assert linear_layer.suits(x, layer.weight)
    found = with_gradients(layer, x, slope)
    true = with_gradients(layer.double(), x.double(), slope.double())
    assert len(found) == 3 + bias
    for ours, wanted in zip(found, true, strict=True):
        error = (ours - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
        assert error < 1e-5


def test_axes_and_order_in_memory_do_not_matter(compiled):
    layer, x, _ = draw(600, 64, 32)
    flat = layer(x)
    assert torch.equal(layer(x.view(2, 300, 64)), flat.view(2, 300, 32))
    assert torch.equal(layer(x.t().contiguous().t()), flat)
    with torch.no_grad():
        layer.weight.set_(layer.weight.t().contiguous().t())
    assert torch.equal(layer(x), flat)


def test_threads_change_no_bit(compiled):
    layer, x, slope = draw(700, 64, 96)
    assert same_on_threads(lambda: with_gradients(layer, x, slope))


def test_evaluation_keeps_float32(compiled):
    layer, x, _ = draw(400, 64, 32)
    layer.eval()
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))


def test_small_and_odd_layers_take_the_other_path(compiled):
    layer, x, _ = draw(400, 64, 32)
    assert not linear_layer.suits(x[:10], layer.weight)
    assert not linear_layer.suits(x.double(), layer.weight)
    assert not linear_layer.suits(x[:, :33], layer.weight[:, :33])
    with torch.autocast("cpu", torch.bfloat16):
        assert not linear_layer.suits(x, layer.weight)
        assert layer(x).dtype == torch.bfloat16


def test_frozen_parts_get_no_gradient(compiled):
    layer, x, slope = draw(400, 64, 32)
    layer.requires_grad_(requires_grad=False)
    x.requires_grad_()
    layer(x).backward(slope)
    assert x.grad is not None
    assert layer.weight.grad is None
