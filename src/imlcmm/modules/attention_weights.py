"""Attention weights for explanations, computed again: the fused path that training takes does not give them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from imlcmm.modules.attention import Attention, split_heads
from imlcmm.modules.hyper_modality import HyperModalityLayer


@contextmanager
def recorded_inputs(layers: Iterable[nn.Module]) -> Iterator[dict[nn.Module, tuple[Any, ...]]]:
    """Give what each layer is called with inside the block; the last call counts."""
    seen: dict[nn.Module, tuple[Any, ...]] = {}
    hooks = [layer.register_forward_pre_hook(seen.__setitem__) for layer in layers]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def attention_weights(
    attention: Attention,
    query: Float[Tensor, "batch queries width"],
    context: Float[Tensor, "batch keys width"],
    mask: Bool[Tensor, "batch *queries keys"] | None = None,
) -> Float[Tensor, "batch heads queries keys"]:
    """Give the weights with which `attention(query, context, mask)` reads the context; each row sums to one."""
    q = split_heads(attention.query(query), attention.heads)
    k = split_heads(attention.key_value(context).chunk(2, dim=-1)[0], attention.heads)
    return _weights(q, k, None if mask is None else mask.view(len(mask), 1, -1, mask.shape[-1]))


@torch.no_grad()
def hyper_weights(
    layer: HyperModalityLayer, tokens: Mapping[str, Float[Tensor, "batch tokens width"]]
) -> dict[str, Float[Tensor, "batch heads tokens tokens"]]:
    """Give α and β of equations 9-10: from each text token to the tokens of audio and of vision."""
    q = split_heads(layer.query(layer.norms["text"](tokens["text"])), layer.heads)
    keys = {m: project(layer.norms[m](tokens[m])).chunk(2, dim=-1)[0] for m, project in layer.key_values.items()}
    return {m: _weights(q, split_heads(k, layer.heads)) for m, k in keys.items()}


def _weights(query: Tensor, key: Tensor, visible: Tensor | None = None) -> Tensor:
    score = query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5
    if visible is not None:
        score = score.masked_fill(~visible, -torch.inf)
    weights: Tensor = score.softmax(-1)
    return weights
