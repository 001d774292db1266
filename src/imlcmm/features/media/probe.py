"""What a video or sound file holds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from imlcmm.errors import MediaError
from imlcmm.features.media.limits import USUAL, MediaLimits
from imlcmm.features.media.pictures import orientation
from imlcmm.features.media.streams import (
    frames_from,
    opened,
    origin_of,
    packets,
    picture_stream,
    quoted,
    seek,
    sound_stream,
    timestamped,
)

if TYPE_CHECKING:
    from av.container import InputContainer
else:
    # What checks types at run time finds this name, though PyAV is imported only where it is used.
    InputContainer = Any


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


def probe(path: Path | str, *, limits: MediaLimits = USUAL) -> MediaInfo:
    """Tell what a file holds, after decoding a frame of each kind.

    Args:
        path: A video or sound file.
        limits: What a recording may have at most.

    Returns:
        Duration, streams and size.

    Raises:
        MediaError: The file is missing, empty, not a video or sound file, cut off before its first frame, or beyond the
            limits.
    """
    path = Path(path)
    sound = next(frames_from(path, sound_stream, 0.0, limits=limits), None)
    picture = next(frames_from(path, picture_stream, 0.0, limits=limits), None)
    if sound is None and picture is None:
        raise MediaError(f"{quoted(path)} holds neither picture nor sound that can be decoded: give a complete video")
    duration = _duration(path)
    limits.check_time(duration, quoted(path))
    if picture is None:
        return MediaInfo(duration, True, False, 0.0, 0, 0, 0)
    with opened(path) as container:
        stream: Any = picture_stream(container)
        width, height = picture.frame.width, picture.frame.height
        turned, across, _ = orientation(picture.frame)
        rotation = (90 if across > 0 else 270) if turned else (0 if across > 0 else 180)
        size = (height, width) if turned else (width, height)
        return MediaInfo(duration, sound is not None, True, float(stream.average_rate or 0), *size, rotation)


def _duration(path: Path) -> float:
    """Give a file's seconds: what it claims where its last packets agree, else what reading it shows."""
    with opened(path) as container:
        claimed = (container.duration or 0) / 1_000_000
        stream = picture_stream(container) or sound_stream(container)
        if claimed and stream and timestamped(container) and seek(container, stream, max(0.0, claimed - 2)):
            measured = _last_end(container, path)
            if measured > claimed - 1:
                return claimed if abs(measured - claimed) < 0.1 else measured
    with opened(path) as container:
        return _last_end(container, path)


def _last_end(container: "InputContainer", path: Path) -> float:
    """Read on to the end and give the second at which the last packet of sound or picture ends."""
    streams = [s for s in (sound_stream(container), picture_stream(container)) if s is not None]
    ends = dict.fromkeys((s.index for s in streams), 0.0)
    origin = origin_of(container)
    for packet in packets(container, streams, path):
        if packet.size and not packet.is_discard:
            before = ends[packet.stream_index]
            time = before if packet.pts is None else float(packet.pts * packet.time_base) - origin
            ends[packet.stream_index] = max(before, time + float((packet.duration or 0) * packet.time_base))
    return max(ends.values())
