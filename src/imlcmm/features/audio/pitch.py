"""The fundamental frequency of a voice (YIN, de Cheveigné and Kawahara 2002).

The steps are those of librosa, whose import compiles for longer than a clip takes to be heard.
"""

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MediaError

_TROUGH = 0.1
_FAINTEST = 1e-5
"""Level at which the logarithm is held."""


def pitch_track(
    sound: Float[np.ndarray, " samples"], rate: float | int, *, lowest: float, highest: float, frame: int
) -> tuple[Float[np.ndarray, " steps"], Float[np.ndarray, " steps"]]:
    """Follow the pitch, a step every quarter of a frame.

    Args:
        sound: (samples,) float32.
        rate: Samples a second.
        lowest: Hz from which on to look for it.
        highest: Hz up to which to look for it.
        frame: Samples that a step listens to, around its middle.

    Returns:
        Hz of each step, and decibels of its level.

    Raises:
        MediaError: If the sound is shorter than a frame, or the frame than two of the longest periods.
    """
    if len(sound) < frame or frame * lowest < 2 * rate:
        raise MediaError(f"no pitch in {len(sound)} samples by frames of {frame}: give more of both")
    padded = np.pad(sound, frame // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[:: frame // 4].T
    shortest, longest = int(rate / highest), min(int(np.ceil(rate / lowest)), frame - 1)
    difference = _normalised_difference(frames, shortest, longest)
    place = _first_trough(difference)
    period = shortest + place + np.take_along_axis(_shift(difference), place[None], 0)[0]
    level = np.sqrt(np.mean(np.square(frames), axis=0))
    return rate / period, 20 * np.log10(np.maximum(level, _FAINTEST))


def _normalised_difference(frames: np.ndarray, shortest: int, longest: int) -> np.ndarray:
    """Compare each frame with itself a period later, over the mean of all shorter periods (equation 8)."""
    size = 2 * len(frames)
    spectrum = np.fft.rfft(frames, size, axis=0)
    alike = np.fft.irfft(spectrum.real**2 + spectrum.imag**2, size, axis=0)[: longest + 1]
    energy = np.cumsum(np.square(frames), axis=0)[:longest]
    energy[0] = 0  # so librosa has it
    difference = 2 * (alike[:1] - alike[1:]) - energy
    mean = np.cumsum(difference, axis=0) / np.arange(1, longest + 1)[:, None]
    below = mean[shortest - 1 :]
    ratio: np.ndarray = difference[shortest - 1 :] / (below + np.finfo(below.dtype).tiny)
    return ratio


def _first_trough(difference: np.ndarray) -> np.ndarray:
    """Choose the shortest period that is a clear minimum, or the lowest of all."""
    trough = np.zeros(difference.shape, bool)
    trough[0] = difference[0] < difference[1]
    inner = difference[1:-1]
    trough[1:-1] = (inner < difference[:-2]) & (inner <= difference[2:])
    trough[-1] = difference[-1] < difference[-2]
    trough &= difference < _TROUGH
    chosen: np.ndarray = np.where(trough.any(axis=0), trough.argmax(axis=0), difference.argmin(axis=0))
    return chosen


def _shift(difference: np.ndarray) -> np.ndarray:
    """Tell where between its neighbours a minimum lies, by a parabola; 0 where that is beyond them."""
    shift = np.zeros_like(difference)
    bend = difference[2:] + difference[:-2] - 2 * difference[1:-1]
    slope = (difference[2:] - difference[:-2]) / 2
    inside = np.abs(slope) < np.abs(bend)
    np.divide(-slope, bend, out=shift[1:-1], where=inside)
    return shift
