"""How loud the two channels of a stereo file are over time, measured without holding their sound."""

from array import array
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imlcmm.features.media.limits import USUAL, MediaLimits
from imlcmm.features.media.streams import frames_from, sound_stream, told_in_one_line

STEP = 0.1
"""Seconds over which a level is measured."""
_STEREO = 2


def channel_levels(path: Path, limits: MediaLimits = USUAL) -> Float[np.ndarray, "steps 2"] | None:
    """Measure the energy of both channels in each tenth of a second; None for a file that has not two throughout.

    Raises:
        MediaError: If the file cannot be read.
    """
    import av

    levels, kind = array("d"), None
    with told_in_one_line(path):
        for time, after, frame in frames_from(path, sound_stream, 0.0, limits=limits):
            if frame.layout.nb_channels != _STEREO:
                return None
            if kind != (kind := (frame.format.name, frame.layout.name, frame.sample_rate)):
                resampler = av.AudioResampler("flt", frame.layout, frame.sample_rate)
            energies = sum(_energies(piece.to_ndarray()) for piece in resampler.resample(frame))
            steps = range(int(max(0.0, time) / STEP), int(max(0.0, after) / STEP) + 1)
            levels.extend([0.0] * max(0, _STEREO * steps.stop - len(levels)))
            for channel, energy in enumerate(np.broadcast_to(energies, _STEREO).tolist()):
                for step in steps:
                    levels[_STEREO * step + channel] += energy / len(steps)
    return np.array(levels).reshape(-1, _STEREO) if levels else None


def _energies(packed: Float[np.ndarray, "1 samples"]) -> Float[np.ndarray, "2"]:
    energies: np.ndarray = np.square(np.nan_to_num(packed.reshape(-1, _STEREO)), dtype=np.float64).sum(axis=0)
    return energies
