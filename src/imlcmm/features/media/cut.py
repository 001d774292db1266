"""Parts of a sound that was read."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from imlcmm.features.media.sound import SOUND_RATE


def cut_sound(sound: Float[np.ndarray, " samples"], start: float, end: float) -> Float[np.ndarray, " cut"]:
    """Give what is heard between two seconds from the sound's start."""
    return sound[round(start * SOUND_RATE) : round(end * SOUND_RATE)]


def join_sound(
    sound: Float[np.ndarray, " samples"], regions: Iterable[tuple[float, float]]
) -> Float[np.ndarray, " joined"]:
    """Give the parts between these seconds one after another, without what lies between them."""
    return np.concatenate([sound[:0], *(cut_sound(sound, start, end) for start, end in regions)])
