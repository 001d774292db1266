"""The curves of single features and their parts of a clip's sentiment."""

import numpy as np
import pytest
import torch

from imlcmm.models import IMLCMM, LF_DNN
from imlcmm.reports.explanations.feature_response import (
    clip_contributions,
    feature_names,
    has_curves,
    sentiment_slopes,
    strongest_curves,
)
from imlcmm.types import MODALITIES


def test_a_slope_is_what_a_nudge_of_the_layer_s_output_does(tiny_model, simulated):
    batch = simulated.test.batch([0, 5])
    slopes = sentiment_slopes(tiny_model, batch)["audio"].slopes
    nudge = torch.zeros_like(slopes)
    nudge[1, 2] = 1e-2 * torch.randn(slopes.shape[-1], generator=torch.Generator().manual_seed(0))
    before = tiny_model(batch).sentiment
    hook = tiny_model.extractors["audio"].connector.register_forward_hook(lambda *given: given[2] + nudge)
    after = tiny_model(batch).sentiment
    hook.remove()
    assert after[0] == before[0]
    torch.testing.assert_close(after[1] - before[1], (slopes * nudge).sum(), rtol=0.05, atol=1e-6)
    assert after[1] != before[1]


def test_a_curve_is_the_layer_s_own_output_when_one_input_moves(tiny_model, simulated):
    curves = strongest_curves(tiny_model, simulated, simulated.test, count=2)
    for m in MODALITIES:
        slopes = sentiment_slopes(tiny_model, simulated.test.batch(range(len(simulated.test))))[m]
        direction = slopes.slopes.sum(1)[slopes.mask.any(1)].mean(0)
        layer, scale = tiny_model.extractors[m].connector, tiny_model.inputs.standardize[m]
        first, second = curves[m]
        column = int(first.name.split()[1])
        moved = torch.zeros(len(first.values), layer.in_features)
        moved[:, column] = (torch.from_numpy(first.values) - scale.mean[column]) / scale.deviation[column]
        expected = (layer(moved) - layer(torch.zeros_like(moved))) @ direction
        np.testing.assert_allclose(first.effect, expected.detach().numpy(), atol=1e-5 + 1e-3 * np.ptp(first.effect))
        assert first.spread >= second.spread > 0
        assert first.seen.min() <= first.values[0] < first.values[-1] <= first.seen.max()


def test_a_clip_s_contributions_sum_to_the_first_order_change(tiny_model, simulated):
    batch = simulated.test.batch([4])
    found, slopes = clip_contributions(tiny_model, batch), sentiment_slopes(tiny_model, batch)
    for m in MODALITIES:
        layer, frames = tiny_model.extractors[m].connector, slopes[m].inputs
        change = ((layer(frames) - layer(torch.zeros_like(frames))) * slopes[m].slopes)[slopes[m].mask].sum()
        assert found[m].shape == (frames.shape[1], simulated.spec.widths[m])
        assert found[m].sum() == pytest.approx(change.item(), abs=1e-5)


def test_names_come_from_the_extractor_where_it_told_them(simulated, monkeypatch):
    assert feature_names(simulated, "text", 32)[12] == ("text 12", "")
    columns = {"columns": ["pitch", "energy"], "units": ["Hz", "1"]}
    manifest = {**simulated.manifest, "notes": {"extractors": {"audio": columns}}}
    monkeypatch.setattr(simulated, "manifest", manifest)
    assert feature_names(simulated, "audio", 2) == [("pitch", "Hz"), ("energy", "")]
    assert feature_names(simulated, "audio", 3)[0] == ("audio 0", "")


def test_only_kan_layers_have_curves(simulated):
    assert has_curves(IMLCMM(simulated.spec, width=16))
    assert not has_curves(IMLCMM(simulated.spec, width=16, connector="mlp"))
    assert not has_curves(LF_DNN(simulated.spec))
