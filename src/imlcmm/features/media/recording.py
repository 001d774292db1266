"""A video or sound file as everything reads it: its sound decoded once, its pictures as they are needed."""

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import TracebackType

import numpy as np
from jaxtyping import Float

from imlcmm.errors import MediaError
from imlcmm.features.media.limits import SAMPLES, USUAL, MediaLimits
from imlcmm.features.media.pictures import Frame, read_frames
from imlcmm.features.media.probe import MediaInfo, probe
from imlcmm.features.media.sound import SOUND_RATE, stream_sound
from imlcmm.features.media.streams import check_span, quoted
from imlcmm.stopwatch import timed

_BLOCK = 30.0
_IN_MEMORY = 1 << 26
_BYTES = np.dtype(np.float32).itemsize


class Recording:
    """A file that is open for reading; close it, or use it in a `with` block.

    The sound is decoded when it is first asked for, up to where it is needed, and kept: in memory up to 17 minutes, in
    a temporary file beyond. Memory does not grow with the length.

    Attributes:
        path: The file.
        info: What it holds.
        limits: What it may have at most.
    """

    path: Path
    info: MediaInfo
    limits: MediaLimits

    @timed("reading")
    def __init__(
        self, path: Path | str, *, limits: MediaLimits = USUAL, reached: Callable[[float], None] | None = None
    ) -> None:
        """Open a file.

        Args:
            path: A video or sound file.
            limits: What it may have at most.
            reached: Is told the second that is being read, each time that it is another one.

        Raises:
            MediaError: If it cannot be read.
        """
        self.path, self.limits = Path(path), limits
        self.info = probe(self.path, limits=limits)
        self._reached, self._second = reached, 0
        self._kept = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 (closed with the recording)
        self._samples = 0
        self._coming = stream_sound(self.path, block=_BLOCK, limits=limits)

    def __enter__(self) -> "Recording":
        """Give the recording."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the recording."""
        self.close()

    def close(self) -> None:
        """Drop the sound that is kept."""
        self._coming.close()
        self._kept.close()

    def sound(self, start: float | int = 0.0, end: float | int | None = None) -> Float[np.ndarray, " samples"]:
        """Give the sound between two moments as one channel of 16,000 samples a second, as `read_sound` does.

        Args:
            start: Second at which to begin.
            end: Second at which to stop; None goes on to the end of the sound.

        Returns:
            float32 samples in [-1, 1]; none where there is no sound, fewer than asked for where it ends early.

        Raises:
            MediaError: If it is damaged or beyond the limits, or is too much for one piece.
        """
        check_span(SOUND_RATE, start, end)
        first, last = round(start * SOUND_RATE), math.inf if end is None else round(end * SOUND_RATE)
        self._decode(min(last, first + SAMPLES + 1))
        count = int(max(0, min(last, self._samples) - first))
        if count > SAMPLES:
            raise MediaError(
                f"{quoted(self.path)} holds more than {SAMPLES / SOUND_RATE / 3600:.1f} hours of sound, too much for "
                "one piece: give start and end, or go through it with sound_blocks"
            )
        return self._read(first, count)

    def sound_blocks(self) -> Iterator[Float[np.ndarray, " samples"]]:
        """Go through the whole sound in blocks of half a minute, the last one shorter.

        Raises:
            MediaError: At any step, if it is damaged or beyond the limits.
        """
        first, size = 0, round(_BLOCK * SOUND_RATE)
        while True:
            self._decode(first + size)
            count = min(size, self._samples - first)
            if count <= 0:
                return
            yield self._read(first, count)
            first += count

    def frames(self, rate: float | int, start: float | int = 0.0, end: float | int | None = None) -> Iterator[Frame]:
        """Give `rate` upright pictures a second between two moments, with seconds from `start`; see `read_frames`.

        Raises:
            MediaError: At any step, if they cannot be read or are beyond the limits.
        """
        for time, image in read_frames(self.path, rate=rate, start=start, end=end, limits=self.limits):
            self._tell(time)
            yield Frame(time - start, image)

    @timed("reading")
    def _decode(self, until: float | int) -> None:
        """Decode and keep the sound up to a sample, or to its end."""
        while self._samples < until:
            block = next(self._coming, None)
            if block is None:
                return
            self._kept.seek(self._samples * _BYTES)
            try:
                self._kept.write(block.astype(np.float32, copy=False).tobytes())
            except OSError as error:
                raise MediaError(
                    f"the sound of {quoted(self.path)} cannot be kept in a temporary file ({error.strerror}): free "
                    "some space, or name another folder with TMPDIR"
                ) from error
            self._samples += len(block)
            self._tell(self._samples / SOUND_RATE)

    def _read(self, first: int, count: int) -> np.ndarray:
        self._tell(first / SOUND_RATE)
        self._kept.seek(first * _BYTES)
        return np.frombuffer(self._kept.read(count * _BYTES), np.float32).copy()

    def _tell(self, second: float) -> None:
        if self._reached is not None and int(second) != self._second:
            self._second = int(second)
            self._reached(second)
