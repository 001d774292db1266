"""Where somebody speaks (Silero's voice activity detector, as faster-whisper carries it)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MediaError, MissingPackageError
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.features.words.regions import join_regions
from imlcmm.stopwatch import timed

_WINDOW = 512
_CONTEXT = 64
_STATE = (1, 1, 128)
# About 16 seconds: larger batches cost memory and gain no time.
_BATCH = 500


@dataclass(frozen=True)
class VoiceActivity:
    """What counts as speech.

    Attributes:
        threshold: Probability from which on there is speech; it goes on until it falls .15 below.
        longest_gap: Seconds of silence that speech may hold.
        shortest: Seconds below which a region is left out; most false alarms are short.
        margin: Seconds added on both sides, where the first and last sounds are soft.
    """

    threshold: float = 0.5
    longest_gap: float = 0.3
    shortest: float = 0.25
    margin: float = 0.1

    def __post_init__(self) -> None:
        """Check the numbers.

        Raises:
            MediaError: If the threshold is no probability or a time is negative.
        """
        if not 0 < self.threshold < 1:
            raise MediaError(f"threshold is {self.threshold}: give a probability between 0 and 1")
        if min(self.longest_gap, self.shortest, self.margin) < 0:
            raise MediaError(f"{self} has a negative time: give seconds from 0 on")


_USUAL = VoiceActivity()


def speech_regions(sound: Float[np.ndarray, " samples"], rules: VoiceActivity = _USUAL) -> list[tuple[float, float]]:
    """Find the stretches of speech.

    Args:
        sound: (samples,) of 16 kHz in [-1, 1].
        rules: What counts as speech.

    Returns:
        Seconds at which each begins and ends, in order and apart from each other.

    Raises:
        MediaError: If the sound is not one channel of finite numbers.
        MissingPackageError: If faster-whisper is not installed.
    """
    return speech_regions_stream([sound], rules)


@timed("speech")
def speech_regions_stream(blocks: Iterable[np.ndarray], rules: VoiceActivity = _USUAL) -> list[tuple[float, float]]:
    """Find the stretches of speech in sound that comes in blocks; the result does not depend on their lengths.

    Args:
        blocks: (samples,) each, of 16 kHz; one is held at a time.
        rules: What counts as speech.

    Returns:
        Seconds at which each begins and ends, in order and apart from each other.

    Raises:
        MediaError: If a block is not one channel of finite numbers.
        MissingPackageError: If faster-whisper is not installed.
    """
    detector = _Detector()
    chances = [detector(windows) for windows in _windows(blocks, detector)]
    if not chances:
        return []
    return _regions(np.concatenate(chances), detector.samples / SOUND_RATE, rules)


class _Detector:
    """The network with its memory of what it has heard."""

    def __init__(self) -> None:
        """Load the network, once a process."""
        try:
            from faster_whisper.vad import get_vad_model  # type: ignore[import-untyped]

            self._session: Any = get_vad_model().session
        except (ImportError, RuntimeError) as error:
            raise MissingPackageError(
                "finding speech needs faster-whisper and onnxruntime: pip install 'imlcmm[video]'"
            ) from error
        self._state = [np.zeros(_STATE, "float32"), np.zeros(_STATE, "float32")]
        self._before = np.zeros(_CONTEXT, "float32")
        self.samples = 0

    def __call__(self, windows: np.ndarray) -> np.ndarray:
        """Give the probability of speech in each of (windows, 512) samples."""
        tails = np.concatenate([self._before[None], windows[:, -_CONTEXT:]])
        heard = np.concatenate([tails[:-1], windows], axis=1)
        self._before = tails[-1]
        hidden, cell = self._state
        chances, *self._state = self._session.run(None, {"input": heard, "h": hidden, "c": cell})
        return np.asarray(chances, "float32").reshape(-1)


def _windows(blocks: Iterable[np.ndarray], detector: _Detector) -> Iterator[np.ndarray]:
    """Cut the sound into batches of windows, the last one filled up with silence, and count its samples."""
    rest = np.zeros(0, "float32")
    for block in blocks:
        if block.ndim != 1 or not np.isfinite(block).all():
            raise MediaError(f"a block of sound has shape {block.shape} or is not finite: give one channel of numbers")
        detector.samples += len(block)
        for first in range(0, len(block), _BATCH * _WINDOW):
            rest = np.concatenate([rest, block[first : first + _BATCH * _WINDOW].astype("float32", copy=False)])
            whole = len(rest) // _WINDOW * _WINDOW
            if whole:
                yield rest[:whole].reshape(-1, _WINDOW)
            rest = rest[whole:]
    if len(rest):
        yield np.pad(rest, (0, _WINDOW - len(rest)))[None]


def _regions(chances: np.ndarray, duration: float, rules: VoiceActivity) -> list[tuple[float, float]]:
    """Turn probabilities into regions: they begin high, end low, bridge short gaps and have margins."""
    step = _WINDOW / SOUND_RATE
    found: list[tuple[float, float]] = []
    for first, last in _runs(chances, rules.threshold):
        start, end = first * step, min(last * step, duration)
        if found and start - found[-1][1] < rules.longest_gap:
            found[-1] = found[-1][0], end
        else:
            found.append((start, end))
    return join_regions(
        (max(0.0, start - rules.margin), min(duration, end + rules.margin))
        for start, end in found
        if end - start >= rules.shortest
    )


def _runs(chances: np.ndarray, threshold: float) -> Iterator[tuple[int, int]]:
    """Give the windows from one that is surely speech to one that surely is not."""
    low = max(threshold - 0.15, 0.01)
    begun: int | None = None
    for place, chance in enumerate(chances.tolist()):
        if begun is None and chance >= threshold:
            begun = place
        elif begun is not None and chance < low:
            yield begun, place
            begun = None
    if begun is not None:
        yield begun, len(chances)
