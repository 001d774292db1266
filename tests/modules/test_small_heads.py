"""Attention in C gives what PyTorch's gives, and training goes on without it."""

import pytest
import torch
from torch.nn import functional as F

from imlcmm.modules.attention import Attention, merge_heads, split_heads
from imlcmm.modules.native import build, small_heads
from native import same_on_threads

HEADS = 3
WIDTH = HEADS * small_heads.HEAD_WIDTH


@pytest.fixture
def compiled():
    found = small_heads._library()
    if found is None:
        pytest.skip("needs a processor with AMX and a compiler")
    return found


def exact(query, key_value, mask):
    """Attend with PyTorch's own function."""
    q = split_heads(query, HEADS)
    k, v = (split_heads(x, HEADS) for x in key_value.chunk(2, dim=-1))
    return merge_heads(F.scaled_dot_product_attention(q, k, v, None if mask is None else mask[:, None, None]))


def draw(clips, queries, keys, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(clips, queries, WIDTH), (clips, keys, 2 * WIDTH), (clips, queries, WIDTH)]
    return [torch.randn(shape, generator=generator) for shape in shapes]


def with_gradients(function, query, key_value, slope):
    query, key_value = query.clone().requires_grad_(), key_value.clone().requires_grad_()
    read = function(query, key_value)
    return read.detach(), *torch.autograd.grad(read, (query, key_value), slope)


@pytest.mark.parametrize(("queries", "keys"), [(1, 1024), (64, 16), (63, 65), (240, 240), (100, 933)])
@pytest.mark.parametrize("masked", [False, True])
def test_values_and_gradients_are_those_of_float64(compiled, queries, keys, masked):
    query, key_value, slope = draw(2, queries, keys)
    mask = torch.rand(2, keys, generator=torch.Generator().manual_seed(1)) > 0.3 if masked else None
    ours = with_gradients(lambda q, kv: small_heads.attend(q, kv, HEADS, None, mask), query, key_value, slope)
    true = with_gradients(lambda q, kv: exact(q, kv, mask), *(x.double() for x in (query, key_value)), slope.double())
    for found, wanted in zip(ours, true, strict=True):
        error = (found - wanted).square().mean().sqrt() / wanted.square().mean().sqrt()
        assert error < 2e-5
        assert (found - wanted).abs().max() < 1e-3 * wanted.abs().max()


def test_padding_is_neither_read_nor_computed(compiled):
    query, key_value, slope = draw(2, 70, 70)
    mask = torch.arange(70) < torch.tensor([[40], [70]])
    slope = slope * mask.unsqueeze(-1)
    padded = key_value.masked_fill(~mask.unsqueeze(-1), torch.nan)
    found = with_gradients(lambda q, kv: small_heads.attend(q, kv, HEADS, mask, mask), query, padded, slope)
    alone = with_gradients(
        lambda q, kv: small_heads.attend(q, kv, HEADS), query[:1, :40], key_value[:1, :40], slope[:1, :40]
    )
    for all_of_it, part in zip(found, alone, strict=True):
        assert torch.equal(all_of_it[:1, :40], part)
        assert not all_of_it[0, 40:].any()


def test_threads_change_no_bit(compiled):
    query, key_value, slope = draw(5, 100, 300)
    assert same_on_threads(
        lambda: with_gradients(lambda q, kv: small_heads.attend(q, kv, HEADS), query, key_value, slope)
    )


def test_a_clip_without_keys_reads_nothing(compiled):
    query, key_value, slope = draw(2, 40, 40)
    mask = torch.tensor([[True], [False]]).expand(2, 40)
    read, *gradients = with_gradients(
        lambda q, kv: small_heads.attend(q, kv, HEADS, None, mask), query, key_value, slope
    )
    assert not read[1].any()
    assert all(g.isfinite().all() for g in gradients)


def test_the_layer_trains_alike_with_and_without_it(compiled, monkeypatch):
    torch.manual_seed(0)
    layer, x = Attention(WIDTH, HEADS), torch.randn(2, 80, WIDTH)
    mask = torch.arange(80) < torch.tensor([[50], [80]])
    fast = layer(x, x, mask)
    monkeypatch.setattr(small_heads, "_library", lambda: None)
    slow = layer(x, x, mask)
    torch.testing.assert_close(fast[mask], slow[mask], atol=1e-5, rtol=0)
    torch.testing.assert_close(layer.eval()(x, x, mask), slow)


def test_without_a_compiler_or_the_processor_there_is_none(monkeypatch, tmp_path):
    build.library.cache_clear()
    monkeypatch.setattr(build, "processor_features", lambda: frozenset(build.AMX))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(build.shutil, "which", lambda name: None)
    assert build.library("attention", build.AMX) is None
    build.library.cache_clear()
    monkeypatch.setattr(build.shutil, "which", lambda name: "false")
    assert build.library("attention", build.AMX) is None
    build.library.cache_clear()
    monkeypatch.setattr(build, "processor_features", frozenset)
    assert build.library("attention", build.AMX) is None
    build.library.cache_clear()
    assert not list(tmp_path.glob("**/*.so"))


def test_it_can_be_turned_off(monkeypatch):
    build.library.cache_clear()
    monkeypatch.setenv(build.SWITCH, "0")
    assert build.library("attention", ()) is None
    build.library.cache_clear()
