"""A file's streams, decoded from any moment on (PyAV, which carries FFmpeg's libraries).

Time zero is the moment at which the file's earliest stream begins. Damaged places are passed over and logged.
"""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from imlcmm.errors import MediaError, MissingPackageError
from imlcmm.features.media.formats import DEMUXERS
from imlcmm.features.media.limits import STILL, USUAL, MediaLimits
from imlcmm.file_kinds import HEAD, file_kind

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.stream import Stream
else:
    # What checks types at run time finds these names, though PyAV is imported only where it is used.
    InputContainer = Stream = Any

logger = logging.getLogger(__name__)

# Their time stamps are guessed from sizes: they are read from the start, and measured by reading.
_UNTIMED = {"mp3", "aac", "ac3", "eac3", "dts", "amr", "h264", "hevc", "m4v", "mpegvideo", "vc1", "obu"}
# How far before the wanted moment a decoder starts, tried in this order; the last means the start of the file.
_MARGINS = (1.0, 10.0, math.inf)
_COUNTED = 60.0
_MENDED = 100


class Timed(NamedTuple):
    """A decoded frame with the seconds at which it begins and ends."""

    time: float
    after: float
    frame: Any


def frames_from(
    path: Path,
    choose: Callable[["InputContainer"], "Stream | None"],
    start: float | int,
    *,
    exact: bool = False,
    limits: MediaLimits = USUAL,
) -> Iterator[Timed]:
    """Give the frames of a stream from one at or before `start` on, skipping what is long before it.

    With `exact`, a stream whose stamps are coarser than its samples is read from the file's start, and counted, for
    moments in the first minute; later on its stamps have to do, or each part of a long file would read all before it.

    Raises:
        MediaError: If the file cannot be read, or is beyond the limits.
    """
    for margin in _MARGINS:
        with opened(path) as container:
            stream: Any = choose(container)
            if stream is None:
                return
            counted = exact and start <= _COUNTED and stream.time_base * stream.sample_rate > 1
            whole = counted or not timestamped(container) or start <= margin
            if not (whole or seek(container, stream, start - margin)):
                continue
            stream.thread_type, stream.codec_context.thread_count = "AUTO", 4
            frames = _timed(container, stream, path, limits)
            first = next(frames, None)
            if first is not None and (whole or first.time <= start):
                yield first
                yield from frames
            elif not whole:
                continue
            return


@contextmanager
def opened(path: Path) -> Iterator["InputContainer"]:
    """Open a file, and say in one line why that cannot be done."""
    try:
        import av
    except ImportError as error:
        raise MissingPackageError("PyAV, which reads videos, is not installed: pip install av") from error
    if not path.is_file():
        raise MediaError(f"{quoted(path)} is not a file: check the path")
    if path.stat().st_size == 0:
        raise MediaError(f"{quoted(path)} is empty (0 bytes): copy it again")
    # With "file:" before it, a colon in a name is not taken for a protocol.
    allowed = {"format_whitelist": ",".join(DEMUXERS), "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", metadata_errors="replace", container_options=allowed)
    except (av.FFmpegError, ValueError) as error:
        with path.open("rb") as file:
            kind = file_kind(file.read(HEAD))
        if kind is not None:
            raise MediaError(f"{quoted(path)} is {kind.name}, not a video or sound file: {kind.advice}") from error
        reason = getattr(error, "strerror", None) or error
        raise MediaError(
            f"{quoted(path)} cannot be read as a video or sound file ({reason}): give a complete file of a usual format"
        ) from error
    with container, told_in_one_line(path):
        yield container


@contextmanager
def told_in_one_line(path: Path) -> Iterator[None]:
    """Turn what the decoder, or times that make no sense, raise on a damaged file into an error of ours."""
    import av

    try:
        yield
    except (av.FFmpegError, ArithmeticError, TypeError, ValueError) as error:
        raise MediaError(
            f"{quoted(path)} is damaged in a way that cannot be passed over ({error}): copy it again"
        ) from error


def quoted(path: Path) -> str:
    """Write a file's name on one line, whatever it holds."""
    return repr(str(path))


def check_span(rate: float | int, start: float | int, end: float | int | None) -> None:
    """Refuse rates and moments that make no sense."""
    if not (rate > 0 and math.isfinite(rate)):
        raise MediaError(f"rate is {rate}: give a number above 0")
    if not (start >= 0 and math.isfinite(start)):
        raise MediaError(f"start is {start}: give seconds from 0 on")
    if end is not None and not end >= start:
        raise MediaError(f"end is {end}, before start, which is {start}: exchange them")


def origin_of(container: "InputContainer") -> float:
    """Give the time stamp, in seconds, of the moment that counts as zero."""
    return (container.start_time or 0) / 1_000_000


def sound_stream(container: "InputContainer") -> "Stream | None":
    """Choose the audio stream marked as the default one, else the first."""
    usable = [s for s in container.streams.audio if s.codec_context is not None]
    return min(usable, key=lambda s: not s.disposition & s.disposition.default, default=None)


def picture_stream(container: "InputContainer") -> "Stream | None":
    """Choose the video stream with the most pixels; cover art is no video."""
    usable = [s for s in container.streams.video if s.codec_context is not None]
    moving = [s for s in usable if not s.disposition & (s.disposition.attached_pic | s.disposition.timed_thumbnails)]
    return max(moving, key=lambda s: s.codec_context.width * s.codec_context.height, default=None)


def _timed(container: "InputContainer", stream: Any, path: Path, limits: MediaLimits) -> Iterator[Timed]:
    """Give a stream's frames with their times; one without a stamp follows the one before."""
    if stream.type == "video":
        limits.check_picture(stream.codec_context.width, stream.codec_context.height, quoted(path))
    origin = origin_of(container)
    video_length = 1 / float(stream.average_rate or stream.guessed_rate or 25) if stream.type == "video" else 0.0
    claimed = (container.duration or 0) / 1_000_000
    after = 0.0
    for frame in _decoded(container, stream, path):
        time = after if frame.pts is None else float(frame.pts * frame.time_base) - origin
        if time > max(2 * claimed + 60, after + 3600):
            logger.warning("%s: the time stamp %.3f s is not believed", quoted(path), time)
            time = after
        if stream.type == "audio":
            limits.check_sound(frame.sample_rate, frame.layout.nb_channels, quoted(path))
            length = frame.samples / frame.sample_rate
        else:
            limits.check_picture(frame.width, frame.height, quoted(path))
            length = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else video_length
            length = min(length, STILL)
        after = time + length
        limits.check_time(after, quoted(path))
        yield Timed(time, after, frame)


def _decoded(container: "InputContainer", stream: "Stream", path: Path) -> Iterator[Any]:
    """Give a stream's frames without those that cannot be decoded."""
    import av

    damaged = 0
    for packet in packets(container, [stream], path):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            continue
        yield from frames
    if damaged:
        logger.warning("%s: %d damaged %s packets were left out", quoted(path), damaged, stream.type)


def packets(container: "InputContainer", streams: list["Stream"], path: Path) -> Iterator[Any]:
    """Give the streams' packets, then an empty one each, which asks the decoder for what it still holds."""
    import av

    for _ in range(_MENDED):
        try:
            yield from container.demux(*streams)
            return
        except av.FFmpegError as error:
            logger.warning("%s: a damaged place is passed over (%s)", quoted(path), error.strerror)


def timestamped(container: "InputContainer") -> bool:
    """Tell whether the file says when each packet is due."""
    return not _UNTIMED & set(container.format.name.split(","))


def seek(container: "InputContainer", stream: Any, seconds: float | int) -> bool:
    """Go to the last point at or before a moment where decoding can begin; tell whether that worked."""
    import av

    try:
        container.seek(int((seconds + origin_of(container)) / stream.time_base), stream=stream)
    except av.FFmpegError:
        return False
    return True
