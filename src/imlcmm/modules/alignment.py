"""Alignment of audio and vision to the steps of the text."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imlcmm.modules.pooling import steps_to_read


def align(
    sequence: Float[Tensor, "batch frames width"],
    mask: Bool[Tensor, "batch frames"],
    text_mask: Bool[Tensor, "batch steps"],
) -> tuple[Float[Tensor, "batch steps width"], Bool[Tensor, "batch steps"]]:
    """Average the frames of each clip in as many windows, side by side, as its text has steps.

    A window holds at least one frame, and the last one ends with the clip. The mask that comes with the averages says
    which windows hold a real one; those without are zero.
    """
    frames, steps = (steps_to_read(m).double().unsqueeze(-1) for m in (mask, text_mask))
    number = torch.arange(text_mask.shape[1], device=mask.device)
    begin, end = (number * frames / steps).floor().int(), ((number + 1) * frames / steps).ceil().int()
    place = torch.arange(mask.shape[1], device=mask.device, dtype=torch.int32)
    inside = (place >= begin.unsqueeze(-1)) & (place < end.unsqueeze(-1)) & mask.unsqueeze(1)
    total = inside.to(sequence.dtype) @ sequence
    count = inside.sum(-1)
    return total / count.clamp(min=1).unsqueeze(-1), count > 0
