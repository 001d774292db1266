"""The KAN layer: exact gradients, small memory, one function on every path."""

import pytest
import torch
from torch import nn

from imlcmm.errors import ModelError
from imlcmm.modules import kan_function, linear_algebra
from imlcmm.modules.bspline import uniform_bases
from imlcmm.modules.kan import KAN


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.fixture
def small_chunks(monkeypatch):
    """Make 300 rows of the layers here span several chunks, and keep no features."""
    monkeypatch.setattr(kan_function, "CPU_CHUNK_BYTES", 1)
    monkeypatch.setattr(kan_function, "KEPT_BYTES", 0)


def gradients(layer, path, x, gy):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    y = getattr(layer, path)(x)
    y.backward(gy)
    return y.detach(), x.grad, layer.weight.grad.clone()


@pytest.mark.parametrize("order", range(1, 6))
def test_gradients_are_exact_at_every_order(order, small_chunks):
    layer = KAN(3, 2, spline_order=order, grid_range=(-0.5, 2.0)).double()
    x = torch.randn(70, 3, dtype=torch.float64)[:70:10].requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, weight: torch.func.functional_call(layer, {"weight": weight}, x), (x, layer.weight)
    )


def test_gradients_can_be_differentiated_again():
    layer = KAN(3, 2).double()
    x = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradgradcheck(
        lambda x, weight: torch.func.functional_call(layer, {"weight": weight}, x), (x, layer.weight)
    )


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize("grid_range", [(-1.0, 1.0), (100.0, 103.0)])
def test_chunks_agree_with_the_plain_path(order, grid_range, small_chunks):
    layer = KAN(7, 5, spline_order=order, grid_size=4, grid_range=grid_range).double()
    x = torch.randn(300, 7, dtype=torch.float64) * 2 + sum(grid_range) / 2
    gy = torch.randn(300, 5, dtype=torch.float64)
    assert kan_function._chunk_rows(300, 9 * 7, x) == kan_function.BLOCK_ROWS
    for fast, plain in zip(gradients(layer, "forward", x, gy), gradients(layer, "forward_plain", x, gy), strict=True):
        torch.testing.assert_close(fast, plain, atol=1e-11, rtol=1e-11)


def test_kept_features_give_the_same_gradient_as_rebuilt_ones(monkeypatch):
    layer, x, gy = KAN(16, 4).double(), torch.randn(8, 16).double(), torch.randn(8, 4).double()
    kept = gradients(layer, "forward", x, gy)
    monkeypatch.setattr(kan_function, "KEPT_BYTES", 0)
    for a, b in zip(kept, gradients(layer, "forward", x, gy), strict=True):
        torch.testing.assert_close(a, b, atol=1e-13, rtol=0)


def test_large_inputs_save_only_themselves_and_the_weight():
    layer, x, saved = KAN(64, 8), torch.randn(2000, 64, requires_grad=True), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: (saved.append(t), t)[1], lambda t: t):
        layer(x)
    assert sorted(t.data_ptr() for t in saved) == sorted([x.data_ptr(), layer.weight.data_ptr()])


def test_only_wanted_gradients_are_computed():
    layer, x = KAN(4, 2), torch.randn(3, 4, requires_grad=True)
    layer.weight.requires_grad_(False)
    layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None


def test_splines_are_exactly_zero_outside_the_extended_grid():
    layer = KAN(1, 3)
    far = torch.tensor([[-50.0], [-2.21], [2.21], [1e6]], requires_grad=True)
    torch.testing.assert_close(layer(far), nn.functional.silu(far) @ layer.weight[-1], atol=0, rtol=1e-6)
    layer.weight.data[-1] = 0
    y = layer(far)
    y.sum().backward()
    assert not y.any()
    assert not far.grad.any()


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_value_that_is_not_finite_shows_in_its_own_row_only(value):
    x = torch.randn(5, 4)
    x[2, 1] = value
    finite = KAN(4, 3)(x).isfinite().all(1)
    assert finite.tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("rows", [9, 3000])
def test_half_precision_rounds_only_the_product(dtype, rows):
    layer = KAN(32, 8)
    x, gy = torch.randn(rows, 32).to(dtype), torch.randn(rows, 8) / rows
    exact = gradients(layer, "forward", x.float(), gy)
    y, gx, gw = gradients(KAN_in(layer, dtype), "forward", x, gy.to(dtype))
    assert (y.dtype, gx.dtype, gw.dtype) == (dtype,) * 3
    for rounded, wanted in zip((y, gx, gw), exact, strict=True):
        assert (rounded.float() - wanted).norm() < 0.02 * wanted.norm()


def KAN_in(layer, dtype):
    half = KAN(layer.in_features, layer.out_features).to(dtype)
    half.load_state_dict(layer.state_dict())
    return half


@pytest.mark.parametrize("path", ["forward", "forward_plain"])
def test_autocast_chooses_the_output_type_and_keeps_float32_gradients(path):
    layer, x = KAN(16, 4), torch.randn(6, 16, requires_grad=True)
    exact = layer(x).detach()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = getattr(layer, path)(x)
        y.float().sum().backward()
    assert y.dtype == torch.bfloat16
    assert layer.weight.grad.dtype == x.grad.dtype == torch.float32
    assert (y.float() - exact).norm() < 0.02 * exact.norm()


def test_leading_axes_and_empty_batches():
    layer, x = KAN(4, 3), torch.randn(2, 5, 4)
    torch.testing.assert_close(layer(x)[1, 2], layer(x[1, 2]))
    y = layer(torch.empty(0, 7, 4, requires_grad=True))
    y.sum().backward()
    assert y.shape == (0, 7, 3)
    assert not layer.weight.grad.any()


def test_runs_repeat_bit_for_bit(small_chunks):
    layer, x, gy = KAN(20, 6), torch.randn(300, 20), torch.randn(300, 6)
    for a, b in zip(gradients(layer, "forward", x, gy), gradients(layer, "forward", x, gy), strict=True):
        assert torch.equal(a, b)


def test_deep_stacks_keep_their_variance():
    x = torch.randn(2000, 100)
    with torch.no_grad():
        first = KAN(100, 100)(x)
        for _ in range(6):
            x = KAN(100, 100)(x)
    assert 0.8 < first.std() < 1.2
    assert 0.3 < x.std() < 2


def test_it_learns_a_function_that_no_linear_map_fits():
    layer, x = KAN(2, 1), torch.rand(256, 2) * 2 - 1
    target = torch.sin(4 * x[:, :1]) + x[:, 1:] ** 2
    optimizer = torch.optim.Adam(layer.parameters(), 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        loss = (layer(x) - target).square().mean()
        loss.backward()
        optimizer.step()
    assert loss < 0.01 * target.var()


def test_regularizer_survives_zero_edges():
    layer = KAN(3, 2)
    with torch.no_grad():
        layer.weight[:, 0, 0] = 0
    sum(layer.regularizer()).backward()
    assert layer.weight.grad.isfinite().all()
    nn.init.zeros_(layer.weight)
    layer.zero_grad()
    l1, entropy = layer.regularizer()
    (l1 + entropy).backward()
    assert (l1.item(), entropy.item()) == (0, 0)
    assert layer.weight.grad.isfinite().all()


def test_outside_share_counts_what_the_grid_does_not_cover():
    layer = KAN(2, 1)
    assert layer.outside_share(torch.tensor([[0.0, 2.0], [-1.0, float("nan")]])) == pytest.approx(0.5)
    assert layer.outside_share(torch.empty(0, 2)) == 0


def test_curves_are_the_edges_that_the_output_sums():
    layer = KAN(3, 2)
    x, curves = layer.curves(11)
    assert (x[0], x[-1], curves.shape) == (-1, 1, (3, 2, 11))
    torch.testing.assert_close(curves.sum(0).t(), layer(x[:, None].expand(-1, 3)))


def test_update_grid_keeps_a_function_that_both_grids_can_express():
    layer, rows = KAN(2, 3).double(), torch.rand(500, 2, dtype=torch.float64).pow(2) * 1.6 - 0.8
    x = torch.linspace(-1, 1, 200, dtype=torch.float64)[:, None].expand(-1, 2)
    with torch.no_grad():  # one cubic over the whole grid, which splines on any knots contain
        bases = uniform_bases(x, layer.grid)[:, :, 0]
        cubic = torch.stack([x[:, 0] ** 3 - x[:, 0], x[:, 0] ** 2, 1 + x[:, 0]], 1)
        layer.weight[:-1] = torch.linalg.lstsq(bases, cubic).solution[:, None]
    before = layer(rows)
    change = layer.update_grid(rows)
    assert layer.knots is not None
    assert change < 1e-5
    torch.testing.assert_close(layer(rows), before, atol=1e-4, rtol=0)
    assert layer.outside_share(rows) == 0


def test_update_grid_reports_how_much_a_rough_function_changes_and_works_twice():
    layer, rows = KAN(4, 3), torch.randn(1000, 4)
    first = layer.update_grid(rows)
    assert 0 < first < 0.9
    before = layer(rows)
    assert layer.update_grid(rows) < 1e-3
    torch.testing.assert_close(layer(rows), before, atol=1e-2, rtol=0)


def test_update_grid_leaves_padding_out_and_survives_a_constant_input():
    layer = KAN(2, 2)
    x, mask = torch.zeros(4, 50, 2), torch.arange(50) < 10
    mask = mask.expand(4, -1)
    x[mask] = torch.stack([torch.rand(40) + 5, torch.full((40,), 3.0)], 1)
    layer.update_grid(x, mask)
    assert layer.knots[0, 3] == pytest.approx(5, abs=0.1)
    assert (layer.knots.diff(dim=1) > 0).all()
    assert layer(x).isfinite().all()
    with pytest.raises(ModelError, match="mask the others"):
        layer.update_grid(torch.full((3, 2), float("nan")))


def test_knots_travel_with_the_checkpoint():
    moved, fresh, x = KAN(2, 2), KAN(2, 2), torch.randn(30, 2)
    plain = {k: v.clone() for k, v in moved.state_dict().items()}
    assert list(plain) == ["weight"]
    moved.update_grid(x)
    fresh.load_state_dict(moved.state_dict())
    assert torch.equal(fresh(x), moved(x))
    fresh.load_state_dict(plain)
    assert fresh.knots is None


@pytest.mark.parametrize("wrong", [{"grid_size": 0}, {"spline_order": -1}, {"grid_range": (1.0, 1.0)}])
def test_impossible_grids_are_refused(wrong):
    with pytest.raises(ModelError, match="KAN"):
        KAN(2, 2, **wrong)


@pytest.fixture
def restored():
    yield
    linear_algebra.use_onednn_matmul(False)


def test_both_matrix_products_agree(restored):
    layer, x, gy = KAN(177, 32), torch.randn(500, 177), torch.randn(500, 32)
    default = gradients(layer, "forward", x, gy)
    if not linear_algebra.use_onednn_matmul():
        pytest.skip("oneDNN's product is not offered here or would round to bfloat16")
    for a, b in zip(gradients(layer, "forward", x, gy), default, strict=True):
        assert (a - b).norm() < 3e-6 * b.norm()


def test_the_switch_refuses_amx_and_large_errors(restored, monkeypatch, tmp_path):
    flags = tmp_path / "cpuinfo"
    assert not linear_algebra.has_amx(flags)
    flags.write_text("flags : avx512f amx_tile amx_bf16")
    assert linear_algebra.has_amx(flags)
    monkeypatch.setattr(linear_algebra, "has_amx", lambda: True)
    assert not linear_algebra.use_onednn_matmul()
    monkeypatch.setattr(linear_algebra, "has_amx", lambda: False)
    monkeypatch.setattr(linear_algebra, "matmul_error", lambda: 2e-3)
    assert not linear_algebra.use_onednn_matmul()
    assert linear_algebra.torch.backends.mkldnn.matmul.fp32_precision != "bf16"
