"""Copies of recordings, or of stretches of them, in the format that every browser and every tool of the field reads."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import SOUND_RATE
from imlcmm.features.media.streams import opened, picture_stream, sound_stream
from imlcmm.files import replacing

_PLAYED = {"mov", "mp4", "webm", "ogg", "wav", "mp3", "flac"}
_PLAYED_PICTURES = {"h264", "vp8", "vp9", "av1"}
_PLAYED_SOUNDS = {"aac", "mp3", "opus", "vorbis", "flac", "pcm_s16le"}
_ALIKE = 18
"""x264's constant rate factor: nobody sees a difference, and faces are found where they were."""
_BITS = 128_000
_BLOCK = 60.0


def plays_in_browsers(path: Path) -> bool:
    """Tell whether the usual browsers play a file as it is.

    Raises:
        MediaError: If it cannot be opened.
    """
    with opened(path) as container:
        picture, sound = picture_stream(container), sound_stream(container)
        return (
            bool(_PLAYED & set(container.format.name.split(",")))
            and (path.suffix != ".mkv")
            and (picture is None or picture.codec_context.name in _PLAYED_PICTURES)
            and (sound is None or sound.codec_context.name in _PLAYED_SOUNDS)
        )


def write_excerpt(recording: Recording, out: Path, start: float = 0.0, end: float | None = None) -> None:
    """Copy a stretch as MP4: upright pictures of 640 pixels at most (H.264), one channel of 16,000 Hz (AAC).

    That is what the extractors read of a recording, so that an excerpt has the features of its stretch but for what
    the codecs lose.

    Args:
        recording: The recording.
        out: File to write.
        start: Second at which to begin.
        end: Second at which to end; None goes on to the end.

    Raises:
        MediaError: If it cannot be read.
    """
    import av

    end = recording.info.duration if end is None else min(end, recording.info.duration)
    rate = Fraction(min(recording.info.frame_rate, 60.0) or 25.0).limit_denominator(1001)
    with replacing(out) as beside, av.open(str(beside), "w", format="mp4") as container:
        voice = _Voice(container, recording, start, end) if recording.info.has_sound else None
        if recording.info.has_picture:
            writer: Any = None
            for number, frame in enumerate(recording.frames(float(rate), start, end)):
                image = frame.image[: frame.image.shape[0] // 2 * 2, : frame.image.shape[1] // 2 * 2]
                if writer is None:
                    writer = container.add_stream("libx264", rate=rate, options={"crf": str(_ALIKE)})
                    writer.height, writer.width, writer.pix_fmt = *image.shape[:2], "yuv420p"
                shown = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                shown.pts, shown.time_base = number, 1 / rate
                container.mux(writer.encode(shown))
                if voice is not None:
                    voice.write(until=start + (number + 1) / float(rate))
            if writer is not None:
                container.mux(writer.encode(None))
        if voice is not None:
            voice.write(until=end)
            voice.close()


class _Voice:
    """Write the sound beside the pictures, a piece at a time."""

    def __init__(self, container: Any, recording: Recording, start: float, end: float) -> None:
        self.container, self.recording, self.start, self.end = container, recording, start, end
        self.writer = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
        self.writer.bit_rate = _BITS
        self.samples = 0

    def write(self, until: float) -> None:
        """Go on to a second of the recording."""
        import av

        while (begin := self.start + self.samples / SOUND_RATE) < min(until, self.end) - 1e-6:
            sound = self.recording.sound(begin, min(until, self.end, begin + _BLOCK))
            if not len(sound):
                return
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(sound[None]), format="fltp", layout="mono")
            frame.sample_rate, frame.pts, frame.time_base = SOUND_RATE, self.samples, Fraction(1, SOUND_RATE)
            self.samples += len(sound)
            self.container.mux(self.writer.encode(frame))

    def close(self) -> None:
        """Write what the encoder still holds."""
        self.container.mux(self.writer.encode(None))
