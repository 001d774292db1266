"""Attention with heads of 16 on a processor with AMX: what PyTorch takes half of IML-CMM's training step for."""

import ctypes
from functools import cache
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imlcmm.modules.native.build import tile_library
from imlcmm.modules.native.threads import in_threads

HEAD_WIDTH = 16
# Below this number of scores a head, PyTorch is as fast.
FEWEST_SCORES = 1024


def suits(
    query: Float[Tensor, "batch queries inner"], key_value: Float[Tensor, "batch keys 2*inner"], heads: int
) -> bool:
    """Tell whether `attend` can take these, and is worth it."""
    return (
        query.shape[-1] == heads * HEAD_WIDTH
        and query.shape[1] * key_value.shape[1] >= FEWEST_SCORES
        and query.dtype == key_value.dtype == torch.float32
        and query.device.type == "cpu"
        and not torch.compiler.is_compiling()
        and _library() is not None
    )


def attend(
    query: Float[Tensor, "batch queries inner"],
    key_value: Float[Tensor, "batch keys 2*inner"],
    heads: int,
    query_mask: Bool[Tensor, "batch queries"] | None = None,
    key_mask: Bool[Tensor, "batch keys"] | None = None,
) -> Float[Tensor, "batch queries inner"]:
    """Read the keys that their mask marks True, by every head; softmax(Q Kᵀ / 4) V.

    Queries and keys that a mask leaves out cost nothing; the queries' results are zero. Each factor of a product has
    16 bits, accumulated in float32: next to PyTorch's float32 the error is some 1e-5 of the result's deviation for
    scores of deviation 1, and grows with them. Threads change no bit.
    """
    read: Tensor = _Attend.apply(query.contiguous(), key_value.contiguous(), heads, query_mask, key_mask)
    return read


@cache
def _library() -> ctypes.CDLL | None:
    """Load the C code, with the types of its arguments."""
    found = tile_library("attention")
    if found is None:
        return None
    pointer, number, distance = ctypes.c_void_p, ctypes.c_int, ctypes.c_long
    found.attention_forward.argtypes = [pointer] * 7 + [number] * 3 + [distance] * 2 + [number] * 2
    found.attention_backward.argtypes = [pointer] * 11 + [number] * 3 + [distance] * 3 + [number] * 2
    return found


def _pointer(x: Tensor | None) -> int | None:
    return None if x is None else x.data_ptr()


class _Attend(torch.autograd.Function):
    """Keep each query's log-sum-exp, and compute the weights again for the gradients."""

    @staticmethod
    def forward(
        ctx: Any, query: Tensor, key_value: Tensor, heads: int, query_mask: Tensor | None, key_mask: Tensor | None
    ) -> Tensor:
        clips, queries, inner = query.shape
        keys = key_value.shape[1]
        query_mask, key_mask = (None if m is None else m.contiguous() for m in (query_mask, key_mask))
        read, lse = torch.empty_like(query), query.new_empty(clips, heads, queries)
        key, value = key_value.data_ptr(), key_value[..., inner:].data_ptr()
        places = [query.data_ptr(), key, value, *map(_pointer, (query_mask, key_mask, read, lse))]
        sizes = [heads, queries, keys, inner, 2 * inner]
        call = _library().attention_forward  # type: ignore[union-attr]
        in_threads(clips, 1, lambda first, last: call(*places, *sizes, first, last))
        ctx.heads = heads
        ctx.save_for_backward(query, key_value, query_mask, key_mask, read, lse)
        return read

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        query, key_value, query_mask, key_mask, read, lse = ctx.saved_tensors
        (clips, queries, inner), keys = query.shape, key_value.shape[1]
        slope = slope.contiguous()
        of_query, of_both = torch.empty_like(query), torch.empty_like(key_value)
        inputs = [query.data_ptr(), key_value.data_ptr(), key_value[..., inner:].data_ptr()]
        inputs += map(_pointer, (query_mask, key_mask, read, lse, slope))
        outputs = [of_query.data_ptr(), of_both.data_ptr(), of_both[..., inner:].data_ptr()]
        sizes = [ctx.heads, queries, keys, inner, 2 * inner, 2 * inner]
        call = _library().attention_backward  # type: ignore[union-attr]
        in_threads(clips, 1, lambda first, last: call(*inputs, *outputs, *sizes, first, last))
        return of_query, of_both, None, None, None
