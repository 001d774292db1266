"""The low-level descriptors of eGeMAPS (Eyben et al. 2016) by openSMILE, an optional extra.

openSMILE is under audEERING's research licence, which forbids commercial use.
"""

import logging
from importlib import import_module

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MissingPackageError
from imlcmm.features.audio.mfcc import HOP, step_count, step_times
from imlcmm.features.feature_set import Features, FeatureSet
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.stopwatch import timed

logger = logging.getLogger(__name__)

_LICENCE = "openSMILE is under audEERING's research licence: non-commercial use only"
# A row needs openSMILE to see this many more rows' worth of sound, and it wants 60 ms at least.
_LOOKAHEAD = 4
_SHORTEST = 960


class EgemapsExtractor:
    """Compute the 25 low-level descriptors of eGeMAPSv02 every 10 ms.

    openSMILE is under audEERING's research licence, which forbids commercial use.

    Attributes:
        features: The description of the columns, named as openSMILE names them.
    """

    features: FeatureSet

    def __init__(self) -> None:
        """Load openSMILE, and say under which licence it is.

        Raises:
            MissingPackageError: opensmile is not installed.
        """
        try:
            opensmile = import_module("opensmile")
        except ImportError as error:
            raise MissingPackageError(
                f'opensmile is not installed: pip install "opensmile==2.6.*" ({_LICENCE})'
            ) from error
        logger.warning(_LICENCE)
        self._smile = opensmile.Smile(
            feature_set=opensmile.FeatureSet.eGeMAPSv02,
            feature_level=opensmile.FeatureLevel.LowLevelDescriptors,
        )
        columns = tuple(self._smile.feature_names)
        self.features = FeatureSet(
            name="egemaps-25",
            modality="audio",
            columns=columns,
            units=tuple(_unit(column) for column in columns),
            rate=SOUND_RATE / HOP,
            version=f"opensmile {opensmile.__version__}",
            options={
                "sample_rate": SOUND_RATE,
                "feature_set": "eGeMAPSv02",
                "feature_level": "LowLevelDescriptors",
                "padding": "zeros after the sound, so that each 10 ms begun has a row",
            },
        )

    @timed("voice")
    def __call__(self, sound: Float[np.ndarray, " samples"]) -> Features:
        """Compute the features of a sound.

        Args:
            sound: (samples,) in [-1, 1] at 16,000 samples a second.

        Returns:
            One row for every 10 ms begun; none of an empty sound. What only a voice has, such as its pitch, is 0 in
            rows without one.
        """
        steps = step_count(sound)
        if steps == 0:
            return Features(np.zeros((0, self.features.width), np.float32), step_times(0))
        padded = np.zeros(max(_SHORTEST, (steps + _LOOKAHEAD) * HOP), np.float32)
        padded[: len(sound)] = sound
        table = self._smile.process_signal(padded, SOUND_RATE)
        return Features(table.to_numpy(np.float32)[:steps], step_times(steps))


def _unit(column: str) -> str:
    """Give the unit of a column by openSMILE's name for it."""
    if column.startswith("F0semitone"):
        return "semitone"
    if column.startswith("slope"):
        return "dB/Hz"
    if "frequency" in column or "bandwidth" in column:
        return "Hz"
    levels = ("alphaRatio", "hammarberg", "shimmer", "HNR", "logRel", "F1amp", "F2amp", "F3amp")
    return "dB" if column.startswith(levels) else "1"
