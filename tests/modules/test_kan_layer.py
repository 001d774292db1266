"""The KAN layer in C gives what PyTorch's operations give, and training goes on without it."""

import pytest
import torch

from imlcmm.modules.kan import KAN
from imlcmm.modules.native import kan_layer
from native import same_on_threads, with_gradients


@pytest.fixture
def compiled():
    found = kan_layer._library()
    if found is None:
        pytest.skip("needs a processor with AMX and a compiler")
    return found


def draw(rows, inputs, outputs, grid_size=5):
    torch.manual_seed(0)
    layer = KAN(inputs, outputs, grid_size=grid_size, grid_range=(-2.0, 3.0))
    return layer, 2 * torch.randn(rows, inputs), torch.randn(rows, outputs)


@pytest.mark.parametrize(
    ("rows", "inputs", "outputs", "grid_size"),
    [(1, 1, 32, 5), (32, 128, 64, 5), (70, 33, 32, 1), (600, 25, 128, 5), (1100, 48, 64, 8), (1025, 65, 96, 3)],
)
def test_values_and_gradients_are_those_of_float64(compiled, rows, inputs, outputs, grid_size):
    layer, x, slope = draw(rows, inputs, outputs, grid_size)
    x[0, 0] = layer.grid.knots(x)[0]  # where the splines begin
    assert kan_layer.suits(x, layer.weight, layer.grid, torch.float32)
    found = with_gradients(layer, x, slope)
    true = with_gradients(layer.double(), x.double(), slope.double())
    for ours, wanted in zip(found, true, strict=True):
        error = (ours - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
        assert error < 1e-5
        assert (ours - wanted).abs().max() < 1e-4 * wanted.abs().max()


def test_inputs_beyond_the_grid_follow_silu_alone(compiled):
    layer, _, slope = draw(40, 32, 32)
    far = torch.full((40, 32), 50.0)
    far[20:] = -1e30
    y, gx, gw = with_gradients(layer, far, slope)
    torch.testing.assert_close(y[:20], 50 * layer.base_weight.sum(1).expand(20, -1), rtol=1e-4, atol=1e-4)
    assert not y[20:].any()
    assert not gw[:-1].any()
    torch.testing.assert_close(gx[:20], slope[:20] @ layer.base_weight, rtol=1e-4, atol=1e-4)


def test_what_is_no_number_stays_none(compiled):
    layer, x, _ = draw(40, 32, 32)
    x[3, 5] = torch.nan
    y = layer(x)
    assert y[3].isnan().all()
    assert y[torch.arange(40) != 3].isfinite().all()


def test_threads_change_no_bit(compiled):
    layer, x, slope = draw(700, 70, 64)
    assert same_on_threads(lambda: with_gradients(layer, x, slope))


def test_evaluation_keeps_float32(compiled, monkeypatch):
    layer, x, _ = draw(100, 64, 64)
    layer.eval()
    used = layer(x)
    monkeypatch.setattr(kan_layer, "_library", lambda: None)
    assert torch.equal(used, layer(x))


def test_gradients_can_be_differentiated_again(compiled):
    layer, x, _ = draw(20, 8, 32)
    seconds = []
    for model, given in ((layer, x), (KAN(8, 32, grid_range=(-2.0, 3.0)).double(), x.double())):
        model.load_state_dict(layer.state_dict())
        inputs = given.requires_grad_()
        (first,) = torch.autograd.grad(model(inputs).square().sum(), inputs, create_graph=True)
        seconds.append(torch.autograd.grad(first.square().sum(), inputs)[0])
    torch.testing.assert_close(seconds[0].double(), seconds[1], rtol=1e-3, atol=1e-3)


def test_other_splines_types_and_widths_take_the_other_path(compiled):
    layer, x, _ = draw(10, 8, 32)
    for other in (KAN(8, 32, spline_order=2), KAN(8, 31)):
        assert not kan_layer.suits(x, other.weight, other.grid, torch.float32)
        assert other(x).isfinite().all()
    assert not kan_layer.suits(x, layer.weight, layer.grid, torch.bfloat16)
    assert not kan_layer.suits(x.double(), layer.weight, layer.grid, torch.float32)


def test_no_rows_are_fine(compiled):
    layer, x, slope = draw(0, 8, 32)
    y, gx, gw = with_gradients(layer, x, slope)
    assert y.shape == (0, 32)
    assert gx.shape == (0, 8)
    assert not gw.any()
