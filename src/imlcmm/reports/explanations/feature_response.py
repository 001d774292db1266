"""What single features do to the sentiment, by the KAN layers that IML-CMM reads its frames with."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.models.base import SentimentModel
from imlcmm.models.iml_cmm import IMLCMM
from imlcmm.modules.kan import KAN
from imlcmm.modules.standardize import Standardize
from imlcmm.types import MODALITIES, Batch

CLIPS, FRAMES, POINTS = 256, 2000, 81
RANGE = (0.01, 0.99)  # quantiles of a feature between which its curve is drawn


@dataclass(frozen=True)
class FeatureCurve:
    """What a feature adds to the sentiment at each of its values.

    Attributes:
        name: The feature's column, or "text 12" where columns have no names.
        unit: Unit of its values; empty where unknown.
        values: (points,) values over the range of the data, in the data's unit.
        effect: (points,) change of the sentiment, to first order, if every frame of a clip had this value and not the
            train split's mean; averaged over clips.
        spread: Standard deviation of the effect over the frames of the data.
        seen: (frames,) values in the data.
    """

    name: str
    unit: str
    values: np.ndarray
    effect: np.ndarray
    spread: float
    seen: np.ndarray


class Slopes(NamedTuple):
    """What a modality's KAN read and what its output does to the sentiment.

    Attributes:
        inputs: (batch, steps, features) standardised features.
        mask: (batch, steps), True on real frames.
        slopes: (batch, steps, width) derivative of the clip's sentiment by the layer's output; zero on padding.
    """

    inputs: Tensor
    mask: Tensor
    slopes: Tensor


def feature_names(data: SentimentData, modality: str, width: int) -> list[tuple[str, str]]:
    """Give name and unit of each column, as the extractor stored them; "text 12" where it did not."""
    known = data.manifest.get("notes", {}).get("extractors", {}).get(modality, {})
    names, units = known.get("columns", ()), known.get("units", ())
    if len(names) != width:
        return [(f"{modality} {i}", "") for i in range(width)]
    return [(str(n), "" if u == "1" else str(u)) for n, u in zip(names, units or [""] * width, strict=True)]


def has_curves(model: SentimentModel) -> bool:
    """Tell whether a model reads its frames with KAN layers."""
    return isinstance(model, IMLCMM) and isinstance(model.extractors["text"].connector, KAN)


def strongest_curves(
    model: IMLCMM, data: SentimentData, clips: ClipDataset, count: int = 4
) -> dict[str, list[FeatureCurve]]:
    """Draw the curves of the features whose effect varies most over a split, for each modality that it has.

    Args:
        model: A model with KAN layers, in evaluation mode.
        data: The data set, which knows the names of the features.
        clips: The split; some hundred clips of it are read.
        count: Curves a modality.
    """
    rows = np.unique(np.linspace(0, len(clips) - 1, min(CLIPS, len(clips))).astype(int))
    parts: dict[str, list[tuple[Tensor, Tensor]]] = {m: [] for m in MODALITIES}
    for batch in clips.batches(32, rows):
        for m, (inputs, mask, slopes) in sentiment_slopes(model, batch).items():
            parts[m].append((inputs[mask], slopes.sum(1)[mask.any(1)]))
    found = {}
    for m, pairs in parts.items():
        frames = torch.cat([frames for frames, _ in pairs])
        if len(frames):
            direction = torch.cat([slopes for _, slopes in pairs]).mean(0)
            found[m] = _strongest(model, data, m, frames[:: max(1, len(frames) // FRAMES)], direction, count)
    return found


def clip_contributions(model: IMLCMM, batch: Batch) -> dict[str, np.ndarray]:
    """Tell what each feature of one clip adds to its sentiment, to first order and against the train split's mean.

    Args:
        model: A model with KAN layers, in evaluation mode.
        batch: One clip.

    Returns:
        For each modality that the clip has, (steps, features).
    """
    found = {}
    for m, (inputs, mask, slopes) in sentiment_slopes(model, batch).items():
        if mask.any():
            added = _against_mean(_kan(model, m), inputs[0], slopes[0])
            found[m] = added.masked_fill(~mask[0].unsqueeze(-1), 0.0).cpu().numpy()
    return found


def sentiment_slopes(model: IMLCMM, batch: Batch) -> dict[str, Slopes]:
    """Differentiate the sentiment by what the KAN layer of each modality gives."""
    read: dict[str, tuple[Tensor, Tensor]] = {}
    hooks = [
        _kan(model, m).register_forward_hook(lambda _, given, output, m=m: _cut(read, m, given[0], output))
        for m in MODALITIES
    ]
    try:
        with torch.enable_grad():
            sentiment = model(batch).sentiment.sum()
            slopes = torch.autograd.grad(sentiment, [read[m][1] for m in MODALITIES], allow_unused=True)
    finally:
        for hook in hooks:
            hook.remove()
    return {
        m: Slopes(read[m][0].detach(), batch.masks[m], torch.zeros_like(read[m][1]) if slope is None else slope)
        for m, slope in zip(MODALITIES, slopes, strict=True)
    }


def _cut(read: dict[str, tuple[Tensor, Tensor]], modality: str, given: Tensor, output: Tensor) -> Tensor:
    """Begin the graph at a layer's output, and remember both of its sides."""
    output = output.detach().requires_grad_()
    read[modality] = (given, output)
    return output


def _strongest(
    model: IMLCMM, data: SentimentData, modality: str, frames: Tensor, direction: Tensor, count: int
) -> list[FeatureCurve]:
    """Rank the features of a modality by the spread of their effect over (frames, features), and draw the first."""
    connector, scale = _kan(model, modality), cast("Standardize", model.inputs.standardize[modality])
    names = feature_names(data, modality, frames.shape[1])
    spread = _against_mean(connector, frames, direction.expand(len(frames), -1)).std(0)
    spread = torch.where(scale.deviation.isfinite(), spread, 0.0)
    low, high = (frames.quantile(q, dim=0) for q in RANGE)
    grid = low + (high - low) * torch.linspace(0, 1, POINTS).unsqueeze(-1)
    effect = _against_mean(connector, grid, direction.expand(POINTS, -1))
    values, seen = (x * scale.deviation + scale.mean for x in (grid, frames))
    return [
        FeatureCurve(
            names[i][0], names[i][1], values[:, i].numpy(), effect[:, i].numpy(), float(spread[i]), seen[:, i].numpy()
        )
        for i in spread.argsort(descending=True, stable=True)[:count].tolist()
        if spread[i] > 0
    ]


def _kan(model: IMLCMM, modality: str) -> KAN:
    """Give the KAN layer that reads a modality's frames."""
    connector = model.extractors[modality].connector
    if not isinstance(connector, KAN):
        raise TypeError(f"{modality} is read by {type(connector).__name__}, which is no KAN")
    return connector


def _against_mean(kan: KAN, frames: Tensor, direction: Tensor) -> Tensor:
    """Give what each feature adds along a direction, (frames, features), beyond what the mean (0) would add."""
    return kan.contributions(frames, direction) - kan.contributions(torch.zeros_like(frames), direction)


def top_features(contributions: np.ndarray, names: Sequence[tuple[str, str]], count: int) -> list[tuple[str, float]]:
    """List the features with the largest effect on a clip, (steps, features) summed over steps, largest first."""
    total = contributions.sum(0)
    order = np.argsort(-np.abs(total), kind="stable")[:count]
    return [(names[i][0], float(total[i])) for i in order]
