"""Recordings of calls, in which each channel holds one speaker."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from imlcmm.features.media.channel_levels import STEP
from imlcmm.features.words.utterances import UNKNOWN, Utterance

_APART = 6.0
"""Decibels by which a channel is louder that holds the speaker."""
_SHARE = 0.8
"""Share of the utterances that must be louder in one channel, or the channels are those of a room or of music."""
_SILENCE = 1e-12


def tell_channels(levels: Float[np.ndarray, "steps 2"], utterances: Sequence[Utterance]) -> list[str] | None:
    """Name the channel of each utterance, left or right; None where the channels do not hold a speaker each.

    Args:
        levels: What `channel_levels` gives.
        utterances: The utterances, in seconds of the same recording.

    Returns:
        A name each, `UNKNOWN` where both channels are as loud.
    """
    names = [_louder(levels[int(one.start / STEP) : int(one.end / STEP) + 1]) for one in utterances]
    told = [name for name in names if name != UNKNOWN]
    return names if {*told} == {"left", "right"} and len(told) >= _SHARE * len(names) else None


def _louder(levels: Float[np.ndarray, "steps 2"]) -> str:
    left, right = 10 * np.log10(levels.sum(axis=0) + _SILENCE)
    if abs(left - right) < _APART:
        return UNKNOWN
    return "left" if left > right else "right"
