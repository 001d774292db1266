"""The recomputed attention weights are those that the fused path used."""

import pytest
import torch

from imlcmm.modules.attention import Attention, merge_heads, split_heads
from imlcmm.modules.attention_weights import attention_weights, hyper_weights, recorded_inputs
from imlcmm.modules.hyper_modality import HyperModalityLayer


@pytest.mark.parametrize("masked", [False, True])
def test_the_weights_reproduce_the_layer_s_output(masked):
    torch.manual_seed(0)
    attention = Attention(12, 3)
    query, context = torch.randn(2, 4, 12), torch.randn(2, 7, 12)
    mask = torch.ones(2, 7, dtype=torch.bool)
    mask[1, 5:] = False
    mask = mask if masked else None
    weights = attention_weights(attention, query, context, mask)
    value = split_heads(attention.key_value(context).chunk(2, dim=-1)[1], 3)
    torch.testing.assert_close(attention.out(merge_heads(weights @ value)), attention(query, context, mask))
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, 4))
    assert not weights.requires_grad
    assert not masked or not weights[1, :, :, 5:].any()


def test_the_hyper_weights_reproduce_the_layer_s_output():
    torch.manual_seed(0)
    layer = HyperModalityLayer(12, 3)
    tokens = {m: torch.randn(2, 4, 12) for m in ("text", "audio", "vision")}
    hyper, present = torch.randn(2, 4, 12), {m: torch.ones(2, dtype=torch.bool) for m in tokens}
    heard = torch.zeros(2, 3, 4, 4)
    for m, weights in hyper_weights(layer, tokens).items():
        value = layer.key_values[m](layer.norms[m](tokens[m])).chunk(2, dim=-1)[1]
        heard = heard + weights @ split_heads(value, 3)
    torch.testing.assert_close(hyper + layer.out(merge_heads(heard)), layer(hyper, tokens, present))


def test_recording_ends_with_the_block():
    layer = torch.nn.Linear(2, 2)
    x = torch.randn(1, 2)
    with recorded_inputs([layer]) as seen:
        layer(x)
    layer(torch.zeros(1, 2))
    assert seen[layer][0] is x
