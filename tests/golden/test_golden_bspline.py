"""The bases and layers match scipy's values, computed once in float64."""

from pathlib import Path

import numpy as np
import pytest
import torch

from imlcmm.modules.bspline import UniformGrid, fill_bases, knot_bases, uniform_bases
from imlcmm.modules.kan import KAN

FILE = Path(__file__).resolve().parents[2].parent / "shared" / "golden" / "golden_bspline.npz"
pytestmark = pytest.mark.skipif(not FILE.is_file(), reason="the golden values lie outside the repository")
TYPES = {torch.float64: 1e-12, torch.float32: 2e-6}


@pytest.fixture(scope="module")
def golden():
    with np.load(FILE) as archive:
        return dict(archive)


def in_place(x, grid):
    out = x.new_empty(grid.slots, 1, len(x))
    fill_bases(x.t().contiguous(), grid, out, torch.empty_like(out))
    return out.permute(2, 0, 1)


BUILDERS = {
    "in place": in_place,
    "plain": uniform_bases,
    "recursion": lambda x, grid: knot_bases(x, grid.knots(x)[None], grid.order),
}


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("builder", BUILDERS)
@pytest.mark.parametrize("case", range(10))
def test_bases(golden, case, builder, dtype):
    size, order, low, high = golden["cases"][case]
    grid = UniformGrid(int(size), int(order), float(low), float(high))
    x = torch.tensor(golden[f"basis{case}_x"], dtype=dtype)[:, None]
    expected = torch.tensor(golden[f"basis{case}_B"], dtype=dtype)
    torch.testing.assert_close(BUILDERS[builder](x, grid)[:, :, 0], expected, atol=TYPES[dtype], rtol=0)
    torch.testing.assert_close(grid.knots(x), torch.tensor(golden[f"basis{case}_knots"], dtype=dtype))


@pytest.mark.parametrize("case", range(10))
def test_slopes(golden, case):
    size, order, low, high = golden["cases"][case]
    x = torch.tensor(golden[f"basis{case}_x"])
    knots = torch.tensor(golden[f"basis{case}_knots"])
    layer = KAN(1, int(size + order), grid_size=int(size), spline_order=int(order), grid_range=(low, high)).double()
    with torch.no_grad():  # output s is basis s alone, so its gradient is that basis's slope
        layer.weight.zero_()
        layer.weight[:-1, 0] = torch.eye(layer.grid.slots)
    away = (x[:, None] - knots).abs().amin(1) > (1e-6 if order == 1 else -1)
    slopes = []
    for slot in range(layer.grid.slots):
        wanted = x.clone()[:, None].requires_grad_()
        layer(wanted)[:, slot].sum().backward()
        slopes.append(wanted.grad[:, 0])
    expected = torch.tensor(golden[f"basis{case}_dB"])
    torch.testing.assert_close(torch.stack(slopes, 1)[away], expected[away], atol=2e-12, rtol=1e-12)


def build(golden, name, dtype):
    def value(key):
        return torch.tensor(golden[f"{name}_{key}"], dtype=dtype)

    knots, order = golden[f"{name}_knots"], int(golden[f"{name}_order"])
    size = knots.shape[1] - 2 * order - 1
    ends = (float(knots[0, order]), float(knots[0, order + size]))
    layer = KAN(knots.shape[0], value("y").shape[1], grid_size=size, spline_order=order, grid_range=ends).to(dtype)
    if name.startswith("adaptive"):
        layer.knots = value("knots")
    with torch.no_grad():
        layer.base_weight.copy_(value("base_weight"))
        layer.spline_weight.copy_(value("spline_weight"))
    return layer, value


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("path", ["forward", "forward_plain"])
@pytest.mark.parametrize("name", ["layer0", "layer1", "layer2", "adaptive0"])
def test_layers(golden, name, path, dtype):
    layer, value = build(golden, name, dtype)
    x = value("x").requires_grad_()
    y = getattr(layer, path)(x)
    y.backward(value("gy"))
    slots = layer.weight.grad
    found = {"y": y, "gx": x.grad, "g_base_weight": slots[-1].t(), "g_spline_weight": slots[:-1].permute(2, 1, 0)}
    for key, tensor in found.items():
        scale = max(1.0, float(value(key).abs().max()))
        torch.testing.assert_close(tensor.detach(), value(key), atol=TYPES[dtype] * scale, rtol=0, msg=key)


@pytest.mark.parametrize("name", ["layer0", "layer1", "layer2", "adaptive0"])
def test_regularisers(golden, name):
    layer, value = build(golden, name, torch.float64)
    l1, entropy = layer.regularizer()
    torch.testing.assert_close(l1.detach(), value("reg_l1_paper"), atol=0, rtol=1e-12)
    torch.testing.assert_close(layer.mean_l1().detach(), value("reg_l1_effkan"), atol=0, rtol=1e-12)
    torch.testing.assert_close(entropy.detach(), value("reg_entropy_effkan"), atol=0, rtol=1e-12)
