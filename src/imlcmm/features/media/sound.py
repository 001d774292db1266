"""The sound of a file as one channel, by seconds from the file's start."""

import logging
import math
from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MediaError
from imlcmm.features.media.channels import channel_to_keep, channels_of, mono_resampler
from imlcmm.features.media.limits import SAMPLES, USUAL, MediaLimits
from imlcmm.features.media.streams import Timed, check_span, frames_from, quoted, sound_stream, told_in_one_line

if TYPE_CHECKING:
    from av import AudioFrame
else:
    # What checks types at run time finds this name, though PyAV is imported only where it is used.
    AudioFrame = Any

logger = logging.getLogger(__name__)

SOUND_RATE = 16_000
"""Samples a second that the extractors of sound, and the speech models, are made for."""

_WARM_UP = 0.3
_STAMP_ERROR = 0.005


def read_sound(
    path: Path | str,
    *,
    rate: int = SOUND_RATE,
    start: float | int = 0.0,
    end: float | int | None = None,
    limits: MediaLimits = USUAL,
) -> Float[np.ndarray, " samples"]:
    """Read the sound between two moments as one channel.

    Sample i is what is heard at `start` + i / `rate` (to the nearest 1 / `rate`), whichever part is read; after the
    first minute to the precision of the file's time stamps, which is a millisecond in Matroska and WebM. Silence stands
    before a stream that begins late and where its time stamps leave a gap.

    Args:
        path: A video or sound file.
        rate: Samples a second of the result.
        start: Seconds from the file's start at which to begin.
        end: Seconds at which to stop; None reads to the end of the sound.
        limits: What a recording may have at most.

    Returns:
        float32 samples in [-1, 1]; none where the file has no sound, fewer than asked for where it ends early.

    Raises:
        MediaError: The file cannot be read or is beyond the limits, the rate or the moments make no sense, or there is
            more sound than fits in one piece.
    """
    blocks: list[np.ndarray] = []
    held = 0
    for block in _sound(Path(path), rate, start, end, limits):
        blocks.append(block)
        held += len(block)
        if held > SAMPLES:
            raise MediaError(
                f"{quoted(Path(path))} holds more than {SAMPLES / rate / 3600:.1f} hours of sound, too much for one "
                "piece: give start and end, or go through it with stream_sound"
            )
    return np.concatenate(blocks) if blocks else np.zeros(0, "float32")


def stream_sound(
    path: Path | str, *, rate: int = SOUND_RATE, block: float | int = 30.0, limits: MediaLimits = USUAL
) -> Generator[Float[np.ndarray, " samples"], None, None]:
    """Go through the whole sound in blocks of `block` seconds, the last one shorter; memory stays bounded.

    Args:
        path: A video or sound file.
        rate: Samples a second of the result.
        block: Seconds of each block.
        limits: What a recording may have at most.

    Yields:
        float32 samples in [-1, 1], which one after another are those of `read_sound`.

    Raises:
        MediaError: At the first step: the file cannot be read, or rate or block make no sense. At any step: it is
            beyond the limits.
    """
    size = round(block * rate)
    if size < 1:
        raise MediaError(f"block is {block} seconds at {rate} samples a second: give a longer one")
    waiting: list[np.ndarray] = []
    held = 0
    for piece in _sound(Path(path), rate, 0.0, None, limits):
        waiting.append(piece)
        held += len(piece)
        if held >= size:
            joined = np.concatenate(waiting)
            whole = held - held % size
            yield from np.split(joined[:whole], whole // size)
            waiting, held = [joined[whole:]], held % size
    if held:
        yield np.concatenate(waiting)


def _sound(
    path: Path, rate: int, start: float | int, end: float | int | None, limits: MediaLimits
) -> Iterator[np.ndarray]:
    """Give the sound between two moments, in pieces of any length."""
    check_span(rate, start, end)
    first, last = round(start * rate), None if end is None else round(end * rate)
    if last == first:
        return
    timed = frames_from(path, sound_stream, max(0.0, start - _WARM_UP), exact=True, limits=limits)
    opening = next(timed, None)
    if opening is None:
        return
    source: int = opening.frame.sample_rate
    kept = channel_to_keep(path, limits) if opening.frame.layout.nb_channels > 1 else None
    # Parts begin where a sample of the source and one of the result coincide, so that all share one grid.
    grid = source // math.gcd(source, rate)
    origin = max(0, int((start - _WARM_UP / 3) * source)) // grid * grid
    position = origin * rate // source
    with told_in_one_line(path):
        for piece in _resampled(_contiguous(chain([opening], timed), source, origin, path, kept), source, rate):
            wanted = piece[max(0, first - position) : None if last is None else max(0, last - position)]
            position += len(piece)
            if len(wanted):
                yield np.clip(np.nan_to_num(wanted), -1.0, 1.0)
            if last is not None and position >= last:
                return


def _contiguous(timed: Iterable[Timed], source: int, origin: int, path: Path, kept: int | None) -> Iterator[np.ndarray]:
    """Give one channel at `source` samples a second from sample `origin` on: gaps are zero, overlaps left out."""
    mix = _Mixer(source, kept)
    position, expected, shift = origin, None, 0
    for time, _, frame in timed:
        sound = mix(frame)
        at = round(time * source) + shift
        if expected is not None:
            jump = at - expected
            tick = float(frame.time_base or 0)
            if abs(jump) <= max(_STAMP_ERROR, 1.5 * tick) * source:
                at = expected
            elif jump < -source:
                logger.warning("%s: the sound's time goes back to %.3f s and is counted on", quoted(path), time)
                at, shift = expected, shift - jump
        expected = at + len(sound)
        while position < at:
            gap = min(at - position, source)
            yield np.zeros(gap, "float32")
            position += gap
        if expected > position:
            yield sound[position - at :]
            position = expected


class _Mixer:
    """Brings decoded frames to one channel of float samples at one rate, even where their format changes midway."""

    def __init__(self, source: int, kept: int | None) -> None:
        """Hold the rate in samples a second, and the channel that stands for all; None mixes them."""
        self._source, self._kept = source, kept
        self._format: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def __call__(self, frame: "AudioFrame") -> np.ndarray:
        """Give a frame's (samples,)."""
        if self._kept is not None and frame.sample_rate == self._source:
            sound = channels_of(frame)
            kept: np.ndarray = sound[min(self._kept, len(sound) - 1)]
            return kept
        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._format:
            self._resampler = mono_resampler(self._source)
            self._format = kind
        mixed = [piece.to_ndarray()[0] for piece in self._resampler.resample(frame)]
        return np.concatenate(mixed) if mixed else np.zeros(0, "float32")


def _resampled(blocks: Iterable[np.ndarray], source: int, rate: int) -> Iterator[np.ndarray]:
    """Bring one channel from `source` to `rate` samples a second, without a delay."""
    import av

    if source == rate:
        yield from _gathered(blocks, source)
        return
    resampler = av.AudioResampler("flt", "mono", rate)
    for block in _gathered(blocks, source):
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block[None]), "flt", "mono")
        frame.sample_rate = source
        yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame))
    yield from (piece.to_ndarray()[0] for piece in resampler.resample(None))


def _gathered(pieces: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """Join short pieces to some of at least `size` samples: each costs a fixed time further on."""
    waiting: list[np.ndarray] = []
    held = 0
    for piece in pieces:
        waiting.append(piece)
        held += len(piece)
        if held >= size:
            yield np.concatenate(waiting)
            waiting, held = [], 0
    if held:
        yield np.concatenate(waiting)
