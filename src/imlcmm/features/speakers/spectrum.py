"""Log-mel spectra as Kaldi computes them, which the voice model was trained on."""

import numpy as np
from jaxtyping import Float

from imlcmm.features.media.sound import SOUND_RATE

_LENGTH, _STEP, _POINTS = 400, 160, 512
_LOWEST, _LEAST = 20.0, 1.19e-7
_EMPHASIS = 0.97
# Kaldi computes with samples of 16 bits.
_SCALE = 32768.0


def log_mel(sound: Float[np.ndarray, " samples"], bins: int) -> Float[np.ndarray, "frames bins"]:
    """Give the logarithms of the mel bands' energies, less their mean over time.

    Each frame of 25 ms loses its mean and gets its high frequencies emphasised; the window is Povey's. The triangles
    are straight on the mel scale; those of librosa are straight in Hz, which changes the vectors of voices.

    Args:
        sound: (samples,) of 16 kHz in [-1, 1], a frame at least.
        bins: Number of bands.
    """
    frames = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64) * _SCALE, _LENGTH)[::_STEP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames -= _EMPHASIS * np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    power = np.abs(np.fft.rfft(frames * np.hanning(_LENGTH) ** 0.85, _POINTS)) ** 2
    logarithms = np.log(np.maximum(power @ _triangles(bins).T, _LEAST))
    centred: np.ndarray = (logarithms - logarithms.mean(axis=0)).astype(np.float32)
    return centred


def _triangles(bins: int) -> Float[np.ndarray, "bins points"]:
    """Give the weight of each frequency in each band."""
    lowest, highest = _mel(np.array([_LOWEST, SOUND_RATE / 2]))
    width = (highest - lowest) / (bins + 1)
    places = (_mel(np.arange(_POINTS // 2 + 1) * SOUND_RATE / _POINTS) - lowest) / width
    triangles: np.ndarray = np.maximum(0.0, 1.0 - np.abs(places - np.arange(1, bins + 1)[:, None]))
    return triangles


def _mel(frequencies: Float[np.ndarray, " frequencies"]) -> Float[np.ndarray, " frequencies"]:
    return 1127.0 * np.log1p(frequencies / 700.0)
