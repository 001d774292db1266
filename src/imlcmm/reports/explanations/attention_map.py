"""Which audio and vision frames each step of the text looks at, through the learned tokens of IML-CMM."""

from typing import cast

import numpy as np
import torch
from torch import Tensor

from imlcmm.models.iml_cmm import IMLCMM
from imlcmm.modules.attention import TransformerLayer
from imlcmm.modules.attention_weights import attention_weights, hyper_weights, recorded_inputs
from imlcmm.modules.hyper_modality import HyperModalityLayer
from imlcmm.modules.intra_modal import IntraModalExtractor
from imlcmm.types import MODALITIES, Batch

COMPOSITION = (
    "The hyper-modality's attention goes from learned text tokens to learned audio and vision tokens; it is multiplied "
    "on both sides by the attention with which these tokens read their frames (text refined between the scales counts "
    "half as before, half as read), heads are averaged, and so are the three scales."
)


@torch.no_grad()
def attention_maps(model: IMLCMM, batch: Batch) -> dict[str, np.ndarray]:
    """Compose the attention from text to audio and to vision.

    Args:
        model: The model, in evaluation mode.
        batch: One clip.

    Returns:
        For audio and vision (text steps, steps), which sums to one; nothing for a modality that the clip lacks, for a
        clip without text, and for a model without hyper-modality.
    """
    fusion = model.fusion
    present = [m for m in MODALITIES if batch.masks[m].any()]
    if fusion is None or "text" not in present:
        return {}
    extractors = {m: cast("IntraModalExtractor", model.extractors[m]) for m in present}
    scales = [cast("TransformerLayer", layer).attention for layer in fusion.scales]
    hypers = [cast("HyperModalityLayer", layer) for layer in fusion.layers]
    with recorded_inputs([*(e.layer.attention for e in extractors.values()), *scales, *hypers]) as seen:
        model(batch)
    frames = {}
    for m, extractor in extractors.items():
        reader = extractor.layer.attention
        frames[m] = _frame_shares(attention_weights(reader, *seen[reader]), len(extractor.tokens))
    trace = torch.eye(len(frames["text"])).to(frames["text"])
    total = {m: torch.zeros(()) for m in present if m != "text"}
    for j, hyper in enumerate(hypers):
        if j:
            read = attention_weights(scales[j - 1], *seen[scales[j - 1]])[0].mean(0)
            trace = (trace + read @ trace) / 2
        weights = hyper_weights(hyper, seen[hyper][1])
        for m, so_far in total.items():
            from_text = trace @ frames["text"]
            total[m] = so_far + from_text.T @ weights[m][0].mean(0) @ frames[m] / len(trace) / len(hypers)
    return {m: share.cpu().numpy() for m, share in total.items()}


def _frame_shares(weights: Tensor, tokens: int) -> Tensor:
    """Give each token's attention to the frames alone, (tokens, steps), of (1, heads, queries, tokens + steps).

    Other tokens are left away: before the layer they are the same for every clip.
    """
    frames = weights[0].mean(0)[:tokens, tokens:]
    return frames / frames.sum(-1, keepdim=True)
