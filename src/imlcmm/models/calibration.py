"""Measuring on validation clips how far a model's sentiment can be trusted."""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations

import torch
from torch import Tensor

from imlcmm.calibration import Calibration, curve_key
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.features.text.language import written_language
from imlcmm.models.base import SentimentModel
from imlcmm.models.curve_fitting import fit_curve
from imlcmm.models.inference import beside, heads_of, keep_modalities
from imlcmm.types import MODALITIES, Batch

FEWEST = 20
_TEXTS, _FEW = 500, 0.05
SUBSETS = tuple(subset for size in (1, 2, 3) for subset in combinations(MODALITIES, size))


@torch.no_grad()
def calibrate(model: SentimentModel, clips: ClipDataset, batch_size: int = 64) -> Calibration:
    """Measure the errors of a model on clips it was not trained on, as it is and with modalities taken away.

    A set of modalities is measured on the clips that have all of it, each head on those that have its label.
    """
    model.eval()
    judged: dict[str, list[Tensor]] = {}
    seen: set[str] = set()
    for batch in (beside(model, batch) for batch in clips.averaging(model.averages).batches(batch_size)):
        present = {m: mask.any(1) for m, mask in batch.masks.items()}
        seen |= {m for m, rows in present.items() if rows.any()}
        for subset in SUBSETS:
            usable = torch.stack([present[m] for m in subset]).all(0)
            if usable.any():
                found = heads_of(model(keep_modalities(batch, subset)))
                for key, each in _judge(found, batch, subset).items():
                    judged.setdefault(key, []).append(each[:, usable & each.isfinite().all(0)])
    known = {key: torch.cat(each, dim=1).cpu().double().numpy() for key, each in judged.items()}
    neutral = model.spec.neutral
    curves = {key: fit_curve(p, y, neutral, steps) for key, (p, y, steps) in known.items() if len(p) >= FEWEST}
    return Calibration(tuple(m for m in MODALITIES if m in seen), curves, _languages(clips.transcripts))


def _languages(transcripts: Sequence[str]) -> tuple[str, ...]:
    """Name the languages of the transcripts, the most frequent first; single texts are taken for others by mistake."""
    some = transcripts[:: -(-len(transcripts) // _TEXTS)]
    found = Counter(filter(None, map(written_language, some)))
    return tuple(language for language, count in found.most_common() if count >= max(2, _FEW * found.total()))


def _judge(found: Mapping[str, Tensor], batch: Batch, subset: Sequence[str]) -> dict[str, Tensor]:
    """Put what was predicted from a set of modalities beside its label and its length, (3, clips) for each curve."""
    steps = batch.masks[subset[0]].sum(1).float()
    judged = {curve_key("multimodal", subset): torch.stack([found["multimodal"].float(), batch.label, steps])}
    if len(subset) == 1 and subset[0] in found:
        label = batch.unimodal_labels[subset[0]]
        judged[curve_key(subset[0], ())] = torch.stack([found[subset[0]].float(), label, steps])
    return judged
