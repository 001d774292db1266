"""Pictures and sound of a file, by seconds from its start (PyAV, which carries FFmpeg's libraries).

Time zero is the moment at which the file's earliest stream begins. Damaged places are passed over and logged.
"""

import logging
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float, UInt8

from imlcmm.errors import MediaError, MissingPackageError

if TYPE_CHECKING:
    from av import AudioFrame, VideoFrame
    from av.container import InputContainer
    from av.stream import Stream
else:
    # What checks types at run time finds these names, though PyAV is imported only where it is used.
    AudioFrame = VideoFrame = InputContainer = Stream = Any

logger = logging.getLogger(__name__)

SOUND_RATE = 16_000
"""Samples a second that the extractors of sound, and the speech models, are made for."""

# Playlists, image sequences and text art are left out: they open other files, or make pictures of any text.
_FORMATS = (
    "mov,matroska,avi,asf,mpeg,mpegts,mpegvideo,flv,live_flv,ogg,wav,w64,mp3,aac,flac,aiff,au,caf,amr,ac3,eac3,dts,"
    "h264,hevc,m4v,vc1,ivf,obu,av1,rm,mxf,gxf,dv,nut,wv,ape,tta,voc,wtv,nsv,gif,y4m,yuv4mpegpipe"
)
# Their time stamps are guessed from sizes: they are read from the start, and measured by reading.
_UNTIMED = {"mp3", "aac", "ac3", "eac3", "dts", "amr", "h264", "hevc", "m4v", "mpegvideo", "vc1", "obu"}
# How far before the wanted moment a decoder starts, tried in this order; the last means the start of the file.
_MARGINS = (1.0, 10.0, math.inf)
_WARM_UP = 0.3
_STAMP_ERROR = 0.005
_MENDED = 100


class MediaInfo(NamedTuple):
    """What a file holds.

    Attributes:
        duration: Seconds from the start of the first stream to the end of the last.
        has_sound: Whether an audio stream can be decoded.
        has_picture: Whether a video stream other than cover art can be decoded.
        frame_rate: Mean frames a second; 0 without a picture.
        width: Pixels of the upright picture from left to right; 0 without a picture.
        height: Pixels of the upright picture from top to bottom; 0 without a picture.
        rotation: Degrees (0, 90, 180 or 270) by which the stored picture is turned anticlockwise to be upright.
    """

    duration: float
    has_sound: bool
    has_picture: bool
    frame_rate: float
    width: int
    height: int
    rotation: int


class Frame(NamedTuple):
    """The picture at one moment.

    Attributes:
        time: Seconds from the start of the file.
        image: (height, width, 3) red, green and blue, upright; shared by the moments that show the same frame.
    """

    time: float
    image: UInt8[np.ndarray, "height width 3"]


class _Timed(NamedTuple):
    """A decoded frame with the seconds at which it begins and ends."""

    time: float
    after: float
    frame: Any


def probe(path: Path | str) -> MediaInfo:
    """Tell what a file holds, after decoding a frame of each kind.

    Args:
        path: A video or sound file.

    Returns:
        Duration, streams and size.

    Raises:
        MediaError: The file is missing, empty, not a video or sound file, or cut off before its first frame.
    """
    path = Path(path)
    sound = next(_frames_from(path, _sound_stream, 0.0), None)
    picture = next(_frames_from(path, _picture_stream, 0.0), None)
    if sound is None and picture is None:
        raise MediaError(f"{_name(path)} holds neither picture nor sound that can be decoded: give a complete video")
    duration = _duration(path)
    if picture is None:
        return MediaInfo(duration, True, False, 0.0, 0, 0, 0)
    with _opened(path) as container:
        stream: Any = _picture_stream(container)
        width, height = picture.frame.width, picture.frame.height
        turned, across, _ = _orientation(picture.frame)
        rotation = (90 if across > 0 else 270) if turned else (0 if across > 0 else 180)
        size = (height, width) if turned else (width, height)
        return MediaInfo(duration, sound is not None, True, float(stream.average_rate or 0), *size, rotation)


def read_sound(
    path: Path | str, *, rate: int = SOUND_RATE, start: float | int = 0.0, end: float | int | None = None
) -> Float[np.ndarray, " samples"]:
    """Read the sound between two moments as one channel.

    Sample i is what is heard at `start` + i / `rate` (to the nearest 1 / `rate`), whichever part is read. Silence
    stands before a stream that begins late and where its time stamps leave a gap.

    Args:
        path: A video or sound file.
        rate: Samples a second of the result.
        start: Seconds from the file's start at which to begin.
        end: Seconds at which to stop; None reads to the end of the sound.

    Returns:
        float32 samples in [-1, 1]; none where the file has no sound, fewer than asked for where it ends early.

    Raises:
        MediaError: The file cannot be read, or the rate or the moments make no sense.
    """
    blocks = list(_sound(Path(path), rate, start, end))
    return np.concatenate(blocks) if blocks else np.zeros(0, "float32")


def stream_sound(
    path: Path | str, *, rate: int = SOUND_RATE, block: float | int = 30.0
) -> Iterator[Float[np.ndarray, " samples"]]:
    """Go through the whole sound in blocks of `block` seconds, the last one shorter; memory stays bounded.

    Args:
        path: A video or sound file.
        rate: Samples a second of the result.
        block: Seconds of each block.

    Yields:
        float32 samples in [-1, 1], which one after another are those of `read_sound`.

    Raises:
        MediaError: At the first step: the file cannot be read, or rate or block make no sense.
    """
    size = round(block * rate)
    if size < 1:
        raise MediaError(f"block is {block} seconds at {rate} samples a second: give a longer one")
    waiting: list[np.ndarray] = []
    held = 0
    for piece in _sound(Path(path), rate, 0.0, None):
        waiting.append(piece)
        held += len(piece)
        if held >= size:
            joined = np.concatenate(waiting)
            whole = held - held % size
            yield from np.split(joined[:whole], whole // size)
            waiting, held = [joined[whole:]], held % size
    if held:
        yield np.concatenate(waiting)


def read_frames(
    path: Path | str,
    *,
    rate: float | int,
    start: float | int = 0.0,
    end: float | int | None = None,
    longest_side: int | None = 640,
) -> Iterator[Frame]:
    """Give the picture at `start`, `start` + 1 / `rate` and so on until `end` or the picture ends.

    Each moment shows the newest frame at or before it, or the first one where the picture begins later.

    Args:
        path: A video file; one without a picture gives no frames.
        rate: Frames a second of the result.
        start: Seconds from the file's start at which to begin.
        end: Seconds before which to stop; None goes on to the end of the picture.
        longest_side: Larger pictures are made smaller so that neither side has more pixels; None keeps their size.

    Yields:
        Moments and upright images; only one image and the decoder's own few frames are held.

    Raises:
        MediaError: At the first step: the file cannot be read, or the rate or the moments make no sense.
    """
    path = Path(path)
    _check_span(rate, start, end)
    painter = _Painter(longest_side)
    stop, step, until = math.inf if end is None else end, 0, 0.0
    shown: Any = None
    for time, after, frame in _frames_from(path, _picture_stream, start):
        # Stamps rounded to milliseconds may lie just after the moment that they mean.
        slack = min(float(frame.time_base or 0) / 2, 0.0005) + 1e-6
        while start + step / rate < min(time - slack, stop - 1e-9):
            yield Frame(start + step / rate, painter(frame if shown is None else shown))
            step += 1
        if start + step / rate >= stop - 1e-9:
            return
        shown, until = frame, max(until, after - slack)
    while start + step / rate < min(until, stop - 1e-9):
        yield Frame(start + step / rate, painter(shown))
        step += 1


class _Painter:
    """Turns decoded frames into upright RGB images, each of them once."""

    def __init__(self, longest_side: int | None) -> None:
        """Hold the size; the scaler is kept, as preparing it costs more than using it."""
        from av.video.reformatter import VideoReformatter

        self._longest_side = longest_side
        self._reformatter = VideoReformatter()
        self._painted: tuple[Any, np.ndarray] | None = None

    def __call__(self, frame: "VideoFrame") -> np.ndarray:
        """Give the image of a frame."""
        if self._painted is None or self._painted[0] is not frame:
            longest = max(frame.width, frame.height)
            scale = min(1.0, (self._longest_side or longest) / longest)
            width, height = (max(1, round(side * scale)) for side in (frame.width, frame.height))
            small = self._reformatter.reformat(frame, width, height, "rgb24", interpolation="AREA", threads=1)
            turned, across, down = _orientation(frame)
            image = small.to_ndarray()
            image = image.swapaxes(0, 1) if turned else image
            self._painted = frame, np.ascontiguousarray(image[::down, ::across])
        return self._painted[1]


def _orientation(frame: "VideoFrame") -> tuple[bool, int, int]:
    """Give whether the axes are exchanged, then the direction (1 or -1) in which to read columns and rows."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    # A stored point (x, y) is shown at (a · x + c · y, b · x + d · y).
    a, b, _, c, d = np.frombuffer(matrix, "int32")[:5].tolist()
    turned = abs(a) < abs(b)
    across, down = (c, b) if turned else (a, d)
    return turned, -1 if across < 0 else 1, -1 if down < 0 else 1


def _name(path: Path) -> str:
    # A file name may hold a line break, and a message is one line.
    return repr(str(path))


@contextmanager
def _opened(path: Path) -> Iterator["InputContainer"]:
    """Open a file, and say in one line why that cannot be done."""
    try:
        import av
    except ImportError as error:
        raise MissingPackageError("PyAV, which reads videos, is not installed: pip install av") from error
    if not path.is_file():
        raise MediaError(f"{_name(path)} is not a file: check the path")
    if path.stat().st_size == 0:
        raise MediaError(f"{_name(path)} is empty (0 bytes): copy it again")
    # With "file:" before it, a colon in a name is not taken for a protocol.
    allowed = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", metadata_errors="replace", container_options=allowed)
    except (av.FFmpegError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MediaError(
            f"{_name(path)} cannot be read as a video or sound file ({reason}): give a complete file of a usual format"
        ) from error
    with container:
        yield container


def _origin(container: "InputContainer") -> float:
    """Give the time stamp, in seconds, of the moment that counts as zero."""
    return (container.start_time or 0) / 1_000_000


def _sound_stream(container: "InputContainer") -> "Stream | None":
    """Choose the audio stream marked as the default one, else the first."""
    usable = [s for s in container.streams.audio if s.codec_context is not None]
    return min(usable, key=lambda s: not s.disposition & s.disposition.default, default=None)


def _picture_stream(container: "InputContainer") -> "Stream | None":
    """Choose the video stream with the most pixels; cover art is no video."""
    usable = [s for s in container.streams.video if s.codec_context is not None]
    moving = [s for s in usable if not s.disposition & (s.disposition.attached_pic | s.disposition.timed_thumbnails)]
    return max(moving, key=lambda s: s.codec_context.width * s.codec_context.height, default=None)


def _packets(container: "InputContainer", streams: list["Stream"], path: Path) -> Iterator[Any]:
    """Give the streams' packets, then an empty one each, which asks the decoder for what it still holds."""
    import av

    for _ in range(_MENDED):
        try:
            yield from container.demux(*streams)
            return
        except av.FFmpegError as error:
            logger.warning("%s: a damaged place is passed over (%s)", _name(path), error.strerror)


def _decoded(container: "InputContainer", stream: "Stream", path: Path) -> Iterator[Any]:
    """Give a stream's frames without those that cannot be decoded."""
    import av

    damaged = 0
    for packet in _packets(container, [stream], path):
        try:
            frames = packet.decode()
        except av.FFmpegError:
            damaged += 1
            continue
        yield from frames
    if damaged:
        logger.warning("%s: %d damaged %s packets were left out", _name(path), damaged, stream.type)


def _timed(container: "InputContainer", stream: Any, path: Path) -> Iterator[_Timed]:
    """Give a stream's frames with their times; one without a stamp follows the one before."""
    origin = _origin(container)
    video_length = 1 / float(stream.average_rate or stream.guessed_rate or 25) if stream.type == "video" else 0.0
    claimed = (container.duration or 0) / 1_000_000
    after = 0.0
    for frame in _decoded(container, stream, path):
        time = after if frame.pts is None else float(frame.pts * frame.time_base) - origin
        if time > max(2 * claimed + 60, after + 3600):
            logger.warning("%s: the time stamp %.3f s is not believed", _name(path), time)
            time = after
        if stream.type == "audio":
            length = frame.samples / frame.sample_rate
        else:
            length = float(frame.duration * frame.time_base) if frame.duration and frame.time_base else video_length
        after = time + length
        yield _Timed(time, after, frame)


def _frames_from(
    path: Path, choose: Callable[["InputContainer"], "Stream | None"], start: float | int, *, exact: bool = False
) -> Iterator[_Timed]:
    """Give the frames of a stream from one at or before `start` on, skipping what is long before it.

    With `exact`, a stream whose stamps are coarser than its samples is read from the file's start, and counted.
    """
    for margin in _MARGINS:
        with _opened(path) as container:
            stream: Any = choose(container)
            if stream is None:
                return
            coarse = exact and stream.time_base * stream.sample_rate > 1
            whole = coarse or not _timestamped(container) or start <= margin
            if not (whole or _seek(container, stream, start - margin)):
                continue
            stream.thread_type, stream.codec_context.thread_count = "AUTO", 4
            frames = _timed(container, stream, path)
            first = next(frames, None)
            if first is not None and (whole or first.time <= start):
                yield first
                yield from frames
            elif not whole:
                continue
            return


def _timestamped(container: "InputContainer") -> bool:
    """Tell whether the file says when each packet is due."""
    return not _UNTIMED & set(container.format.name.split(","))


def _seek(container: "InputContainer", stream: Any, seconds: float | int) -> bool:
    """Go to the last point at or before a moment where decoding can begin; tell whether that worked."""
    import av

    try:
        container.seek(int((seconds + _origin(container)) / stream.time_base), stream=stream)
    except av.FFmpegError:
        return False
    return True


def _last_end(container: "InputContainer", path: Path) -> float:
    """Read on to the end and give the second at which the last packet of sound or picture ends."""
    streams = [s for s in (_sound_stream(container), _picture_stream(container)) if s is not None]
    ends = dict.fromkeys((s.index for s in streams), 0.0)
    origin = _origin(container)
    for packet in _packets(container, streams, path):
        if packet.size and not packet.is_discard:
            before = ends[packet.stream_index]
            time = before if packet.pts is None else float(packet.pts * packet.time_base) - origin
            ends[packet.stream_index] = max(before, time + float((packet.duration or 0) * packet.time_base))
    return max(ends.values())


def _duration(path: Path) -> float:
    """Give a file's seconds: what it claims where its last packets agree, else what reading it shows."""
    with _opened(path) as container:
        claimed = (container.duration or 0) / 1_000_000
        stream = _picture_stream(container) or _sound_stream(container)
        if claimed and stream and _timestamped(container) and _seek(container, stream, max(0.0, claimed - 2)):
            measured = _last_end(container, path)
            if measured > claimed - 1:
                return claimed if abs(measured - claimed) < 0.1 else measured
    with _opened(path) as container:
        return _last_end(container, path)


def _check_span(rate: float | int, start: float | int, end: float | int | None) -> None:
    """Refuse rates and moments that make no sense."""
    if not (rate > 0 and math.isfinite(rate)):
        raise MediaError(f"rate is {rate}: give a number above 0")
    if not (start >= 0 and math.isfinite(start)):
        raise MediaError(f"start is {start}: give seconds from 0 on")
    if end is not None and not end >= start:
        raise MediaError(f"end is {end}, before start, which is {start}: exchange them")


def _sound(path: Path, rate: int, start: float | int, end: float | int | None) -> Iterator[np.ndarray]:
    """Give the sound between two moments, in pieces of any length."""
    _check_span(rate, start, end)
    first, last = round(start * rate), None if end is None else round(end * rate)
    if last == first:
        return
    timed = _frames_from(path, _sound_stream, max(0.0, start - _WARM_UP), exact=True)
    opening = next(timed, None)
    if opening is None:
        return
    source: int = opening.frame.sample_rate
    # Parts begin where a sample of the source and one of the result coincide, so that all share one grid.
    grid = source // math.gcd(source, rate)
    origin = max(0, int((start - _WARM_UP / 3) * source)) // grid * grid
    position = origin * rate // source
    for piece in _resampled(_contiguous(chain([opening], timed), source, origin, path), source, rate):
        wanted = piece[max(0, first - position) : None if last is None else max(0, last - position)]
        position += len(piece)
        if len(wanted):
            yield np.clip(np.nan_to_num(wanted), -1.0, 1.0)
        if last is not None and position >= last:
            return


def _contiguous(timed: Iterable[_Timed], source: int, origin: int, path: Path) -> Iterator[np.ndarray]:
    """Give one channel at `source` samples a second from sample `origin` on: gaps are zero, overlaps left out."""
    mix = _Mixer(source)
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
                logger.warning("%s: the sound's time goes back to %.3f s and is counted on", _name(path), time)
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

    def __init__(self, source: int) -> None:
        """Hold the rate in samples a second."""
        self._source = source
        self._format: tuple[str, str, int] | None = None
        self._resampler: Any = None

    def __call__(self, frame: "AudioFrame") -> np.ndarray:
        """Give a frame's (samples,)."""
        import av

        kind = (frame.format.name, frame.layout.name, frame.sample_rate)
        if kind != self._format:
            # Without a bound the sum of two equal channels would be 1.4 times as loud, and be clipped.
            self._resampler = av.AudioResampler("flt", "mono", self._source, options={"rematrix_maxval": "1.0"})
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
