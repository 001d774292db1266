"""ALMT as its authors' code: against its equations written out in float64."""

import numpy as np
import pytest
import torch
from scipy.special import erf, softmax

from imlcmm.models import ALMT
from imlcmm.types import MODALITIES, Batch, DataSpec

SPEC = DataSpec(widths={"text": 5, "audio": 3, "vision": 4}, steps={"text": 6, "audio": 9, "vision": 7})
WIDTH, TOKENS = 32, 3


@pytest.fixture
def model():
    torch.manual_seed(0)
    model = ALMT(SPEC, width=WIDTH, tokens=TOKENS, fusion_depth=2, as_published=True).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return model


@pytest.fixture
def batch():
    sequences = {m: torch.randn(2, SPEC.steps[m], SPEC.widths[m], dtype=torch.float64) for m in MODALITIES}
    masks = {m: torch.ones(2, SPEC.steps[m], dtype=torch.bool) for m in MODALITIES}
    labels = torch.zeros(2, dtype=torch.float64)
    return Batch(
        **sequences, masks=masks, label=labels, unimodal_labels=dict.fromkeys(MODALITIES, labels), row=torch.arange(2)
    )


class Published:
    """The published code's equations for one clip, by the names of our weights."""

    def __init__(self, weights):
        self.weights = {name: value.numpy() for name, value in weights.items()}

    def linear(self, name, x):
        weight, bias = self.weights[f"{name}.weight"], self.weights.get(f"{name}.bias", 0.0)
        return x @ weight.T + bias

    def norm(self, name, x):
        x = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)
        return x * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def attend(self, q, k, v, heads):
        q, k, v = (x.reshape(len(x), heads, -1).swapaxes(0, 1) for x in (q, k, v))
        read = softmax(q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1]), axis=-1) @ v
        return read.swapaxes(0, 1).reshape(q.shape[1], -1)

    def layer(self, name, x, context):
        q = self.linear(f"{name}.attention.query", self.norm(f"{name}.norm_query", x))
        keys, values = np.split(self.weights[f"{name}.attention.key_value.weight"], 2)
        k, v = self.norm(f"{name}.norm_key", context) @ keys.T, self.norm(f"{name}.norm_value", context) @ values.T
        x = x + self.linear(f"{name}.attention.out", self.attend(q, k, v, 8))
        hidden = self.linear(f"{name}.feedforward.1", self.norm(f"{name}.feedforward.0", x))
        return x + self.linear(f"{name}.feedforward.4", hidden * (1 + erf(hidden / np.sqrt(2))) / 2)

    def hyper(self, name, hyper, tokens, heads):
        q = self.linear(f"{name}.query", self.norm(f"{name}.norms.text", tokens["text"]))
        heard = 0
        for m in ("audio", "vision"):
            read = self.linear(f"{name}.key_values.{m}", self.norm(f"{name}.norms.{m}", tokens[m]))
            heard = heard + self.attend(q, *np.split(read, 2, axis=-1), heads)
        return self.norm(f"{name}.norm_hyper", hyper) + self.linear(f"{name}.out", heard)

    def __call__(self, clip):
        w, tokens = self.weights, {}
        for m, frames in clip.items():
            name = f"extractors.{m}"
            learned = w[f"{name}.tokens"] + w[f"{name}.token_positions"]
            x = np.concatenate([learned, self.linear(f"{name}.connector", frames) + w[f"{name}.frame_positions"]])
            tokens[m] = self.layer(f"{name}.layer", x, x)[:TOKENS]
        text, hyper = tokens["text"] + w["fusion.positions.text"], w["fusion.hyper"][0]
        for j in range(3):
            if j:
                text = self.layer(f"fusion.scales.{j - 1}", text, text)
            hyper = self.hyper(f"fusion.layers.{j}", hyper, {**tokens, "text": text}, WIDTH // 16)
        cls = w["fusion.readers"][0]
        source = np.concatenate([cls, hyper]) + w["fusion.positions.source"]
        target = np.concatenate([cls, text]) + w["fusion.positions.target"]
        for i in range(2):
            target = self.layer(f"fusion.fusion.{i}", target, source)
        return self.linear("head", target[0])[0]


def test_it_says_what_the_published_equations_say(model, batch):
    published = Published(model.state_dict())
    expected = [published({m: batch.sequence(m)[i].numpy() for m in MODALITIES}) for i in range(2)]
    np.testing.assert_allclose(model(batch).sentiment.detach(), expected, rtol=1e-12)


def test_padding_is_read_and_learned_tokens_start_where_theirs_do(batch):
    model = ALMT(SPEC, as_published=True)
    assert not model.extractors["audio"].tokens.any()
    assert not model.fusion.readers.any()
    assert (model.fusion.hyper == 1).all()
    masks = {m: mask & (torch.arange(mask.shape[1]) < 2) for m, mask in batch.masks.items()}
    padded = batch._replace(**{m: batch.sequence(m) * masks[m].unsqueeze(-1) for m in MODALITIES}, masks=masks)
    cut = batch._replace(
        **{m: batch.sequence(m)[:, :2] for m in MODALITIES}, masks={m: mask[:, :2] for m, mask in masks.items()}
    )
    model = model.double()
    assert not torch.allclose(model(padded).sentiment, model(cut).sentiment)
