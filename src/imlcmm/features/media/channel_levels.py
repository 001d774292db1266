"""How loud the two channels of a stereo file are over time, measured without holding their sound."""

from array import array
from pathlib import Path

import numpy as np
from jaxtyping import Float

from imlcmm.features.media.channels import channels_of
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
    found = array("d")
    with told_in_one_line(path):
        for time, _, frame in frames_from(path, sound_stream, 0.0, limits=limits):
            if frame.layout.nb_channels != _STEREO:
                return None
            energies = np.square(channels_of(frame), dtype=np.float64)
            places = ((max(0.0, time) + np.arange(energies.shape[1]) / frame.sample_rate) // STEP).astype(int)
            found.extend([0.0] * max(0, _STEREO * (int(places[-1]) + 1) - len(found)))
            for step in range(places[0], places[-1] + 1):
                for channel, energy in enumerate(energies[:, places == step].sum(axis=1)):
                    found[_STEREO * step + channel] += energy
    return np.array(found).reshape(-1, _STEREO) if found else None
