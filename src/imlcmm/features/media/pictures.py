"""The pictures of a file, by seconds from the file's start."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import UInt8

from imlcmm.features.media.limits import USUAL, MediaLimits
from imlcmm.features.media.streams import check_span, frames_from, picture_stream

if TYPE_CHECKING:
    from av import VideoFrame
else:
    # What checks types at run time finds this name, though PyAV is imported only where it is used.
    VideoFrame = Any


class Frame(NamedTuple):
    """The picture at one moment.

    Attributes:
        time: Seconds from the start of the file.
        image: (height, width, 3) red, green and blue, upright; shared by the moments that show the same frame.
    """

    time: float
    image: UInt8[np.ndarray, "height width 3"]


def read_frames(
    path: Path | str,
    *,
    rate: float | int,
    start: float | int = 0.0,
    end: float | int | None = None,
    longest_side: int | None = 640,
    limits: MediaLimits = USUAL,
) -> Iterator[Frame]:
    """Give the picture at `start`, `start` + 1 / `rate` and so on until `end` or the picture ends.

    Each moment shows the newest frame at or before it, or the first one where the picture begins later.

    Args:
        path: A video file; one without a picture gives no frames.
        rate: Frames a second of the result.
        start: Seconds from the file's start at which to begin.
        end: Seconds before which to stop; None goes on to the end of the picture.
        longest_side: Larger pictures are made smaller so that neither side has more pixels; None keeps their size.
        limits: What a recording may have at most.

    Yields:
        Moments and upright images; only one image and the decoder's own few frames are held.

    Raises:
        MediaError: At the first step: the file cannot be read, or the rate or the moments make no sense. At any step:
            it is beyond the limits.
    """
    path = Path(path)
    check_span(rate, start, end)
    painter = _Painter(longest_side)
    stop, step, until = math.inf if end is None else end, 0, 0.0
    shown: Any = None
    for time, after, frame in frames_from(path, picture_stream, start, limits=limits):
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
            turned, across, down = orientation(frame)
            image = small.to_ndarray()
            image = image.swapaxes(0, 1) if turned else image
            self._painted = frame, np.ascontiguousarray(image[::down, ::across])
        return self._painted[1]


def orientation(frame: "VideoFrame") -> tuple[bool, int, int]:
    """Give whether the axes are exchanged, then the direction (1 or -1) in which to read columns and rows."""
    matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return False, 1, 1
    # A stored point (x, y) is shown at (a · x + c · y, b · x + d · y).
    a, b, _, c, d = np.frombuffer(matrix, "int32")[:5].tolist()
    turned = abs(a) < abs(b)
    across, down = (c, b) if turned else (a, d)
    return turned, -1 if across < 0 else 1, -1 if down < 0 else 1
