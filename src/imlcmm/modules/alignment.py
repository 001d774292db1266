"""Alignment of audio and vision to the steps of the text."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from imlcmm.modules.pooling import steps_to_read


def align(
    sequence: Float[Tensor, "batch frames width"],
    mask: Bool[Tensor, "batch frames"],
    text_mask: Bool[Tensor, "batch steps"],
    *,
    whole: bool = False,
) -> tuple[Float[Tensor, "batch steps width"], Bool[Tensor, "batch steps"]]:
    """Average the frames of each clip in as many windows, side by side, as its text has steps.

    A window holds at least one frame, and the last one ends with the clip; where the steps do not divide the frames,
    neighbours share the frame at their border. The mask that comes with the averages says which windows hold a real
    frame; those without are zero.

    Args:
        sequence: The frames.
        mask: Which of them are real.
        text_mask: Which steps of the text are.
        whole: Let all windows have the same number of frames instead, rounded up, and repeat the clip's last frame
            where they are too few, as the reference implementations do.
    """
    frames, steps = (steps_to_read(m).unsqueeze(-1) for m in (mask, text_mask))
    number = torch.arange(text_mask.shape[1], device=mask.device)
    place = torch.arange(mask.shape[1], device=mask.device, dtype=torch.int32)
    if whole:
        size = (frames + steps - 1) // steps
        begin, end = number * size, (number + 1) * size
    else:
        frames, steps = frames.double(), steps.double()
        begin, end = (number * frames / steps).floor().int(), ((number + 1) * frames / steps).ceil().int()
    inside = ((place >= begin.unsqueeze(-1)) & (place < end.unsqueeze(-1)) & mask.unsqueeze(1)).to(sequence.dtype)
    if whole:
        last = (place == frames - 1) & mask
        beyond = (end - torch.maximum(begin, frames)).clamp(min=0).unsqueeze(-1)
        inside = inside + beyond * last.unsqueeze(1).to(sequence.dtype)
    count = inside.sum(-1)
    return inside @ sequence / count.clamp(min=1).unsqueeze(-1), count > 0
