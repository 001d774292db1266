"""Mel-frequency cepstral coefficients of an utterance, one row every 10 ms (librosa)."""

from importlib.metadata import version

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MissingPackageError
from imlcmm.features.feature_set import Features, FeatureSet
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.stopwatch import timed

HOP = 160
_WINDOW = 400
_BANDS = 40
_COEFFICIENTS = 25
# Power at which the logarithm is held, so that digital silence is finite.
_FLOOR = 1e-10


def step_count(sound: Float[np.ndarray, " samples"]) -> int:
    """Give the number of rows of a sound: one for every 10 ms begun."""
    return -(-len(sound) // HOP)


def step_times(steps: int) -> Float[np.ndarray, "steps 2"]:
    """Give the seconds at which each row begins and ends, counted from the start of the sound."""
    begin = np.arange(steps)
    return np.stack([begin, begin + 1], axis=1) * (HOP / SOUND_RATE)


class MfccExtractor:
    """Compute 25 MFCC every 10 ms.

    A row depends on the 25 ms around its middle alone, so that the same sound gives the same row in any utterance.

    Attributes:
        features: The description of the columns.
    """

    features: FeatureSet

    def __init__(self) -> None:
        """Load librosa.

        Raises:
            MissingPackageError: librosa is not installed.
        """
        try:
            import librosa
        except ImportError as error:
            raise MissingPackageError("librosa, which computes MFCC, is not installed: pip install librosa") from error
        self._librosa = librosa
        self.features = FeatureSet(
            name=f"mfcc-{_COEFFICIENTS}",
            modality="audio",
            columns=tuple(f"mfcc_{i:02d}" for i in range(_COEFFICIENTS)),
            units=("dB",) * _COEFFICIENTS,
            rate=SOUND_RATE / HOP,
            version=f"librosa {version('librosa')}",
            options={
                "sample_rate": SOUND_RATE,
                "n_fft": _WINDOW,
                "hop_length": HOP,
                "window": "hann",
                "centre": "a window around the middle of each row, zeros outside the sound",
                "n_mels": _BANDS,
                "fmin": 0.0,
                "fmax": SOUND_RATE / 2,
                "htk": False,
                "mel_norm": "slaney",
                "power": 2.0,
                "amin": _FLOOR,
                "top_db": None,
                "dct_type": 2,
                "dct_norm": "ortho",
                "lifter": 0,
            },
        )

    @timed("voice")
    def __call__(self, sound: Float[np.ndarray, " samples"]) -> Features:
        """Compute the features of a sound.

        Args:
            sound: (samples,) in [-1, 1] at 16,000 samples a second.

        Returns:
            One row for every 10 ms begun; none of an empty sound.
        """
        steps = step_count(sound)
        if steps == 0:
            return Features(np.zeros((0, self.features.width), np.float32), step_times(0))
        lead = (_WINDOW - HOP) // 2
        length = (steps - 1) * HOP + _WINDOW
        padded = np.zeros(length, np.float32)
        padded[lead : lead + len(sound)] = sound
        power = self._librosa.feature.melspectrogram(
            y=padded,
            sr=SOUND_RATE,
            n_fft=_WINDOW,
            hop_length=HOP,
            window="hann",
            center=False,
            power=2.0,
            n_mels=_BANDS,
            fmin=0.0,
            fmax=SOUND_RATE / 2,
            htk=False,
            norm="slaney",
        )
        # librosa's default would cut at 80 dB below the loudest moment, and a row would depend on the others.
        level = self._librosa.power_to_db(power, ref=1.0, amin=_FLOOR, top_db=None)
        cepstrum = self._librosa.feature.mfcc(S=level, n_mfcc=_COEFFICIENTS, dct_type=2, norm="ortho", lifter=0)
        return Features(np.ascontiguousarray(cepstrum.T, dtype=np.float32), step_times(steps))
