"""Small clips made of numpy arrays, for the tests of several folders."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np

TICK = Fraction(1, 90000)


class Picture(NamedTuple):
    """A video stream: frames (count, height, width, 3) uint8 RGB; `times` in seconds make its frame rate variable."""

    frames: np.ndarray
    rate: float = 25.0
    times: Sequence[float] | None = None
    rotation: int = 0
    codec: str = "libx264"
    cover: bool = False


class Sound(NamedTuple):
    """An audio stream: samples (samples,) or (channels, samples) in [-1, 1], heard from `start` seconds on."""

    samples: np.ndarray
    rate: int = 16000
    start: float = 0.0
    codec: str = "aac"


def make_clip(path: Path, *streams: Picture | Sound) -> Path:
    """Write a file of these streams, in the format that its name asks for; one without a `Sound` is silent."""
    packets: list[Any] = []
    with av.open(str(path), "w") as container:
        writers = [(_add_picture if isinstance(s, Picture) else _add_sound)(container, s) for s in streams]
        for stream, (writer, frames) in zip(streams, writers, strict=True):
            for frame in [*frames, None]:
                packets += writer.encode(frame)
            if isinstance(stream, Picture) and stream.cover:
                writer.disposition = av.stream.Disposition.attached_pic
        container.mux(sorted(packets, key=lambda packet: (packet.dts or 0) * packet.time_base))
    return path


def _add_picture(container: Any, picture: Picture) -> tuple[Any, list[av.VideoFrame]]:
    count, height, width, _ = picture.frames.shape
    writer = container.add_stream(picture.codec, rate=Fraction(picture.rate).limit_denominator(1001))
    writer.height, writer.width = height, width
    writer.pix_fmt = {"png": "rgb24", "mjpeg": "yuvj420p", "gif": "rgb8"}.get(picture.codec, "yuv420p")
    if picture.times is not None:
        writer.codec_context.time_base = TICK
    if picture.rotation:
        writer.set_display_rotation(picture.rotation)
    tick = writer.codec_context.time_base or 1 / Fraction(picture.rate).limit_denominator(1001)
    times = np.arange(count) / picture.rate if picture.times is None else picture.times
    frames = []
    for image, time in zip(picture.frames, times, strict=True):
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
        frame.pts, frame.time_base = round(time / tick), tick
        frames.append(frame)
    return writer, frames


def _add_sound(container: Any, sound: Sound) -> tuple[Any, list[av.AudioFrame]]:
    samples = np.atleast_2d(sound.samples).astype("float32")
    layout = {1: "mono", 2: "stereo"}[len(samples)]
    writer = container.add_stream(sound.codec, rate=sound.rate, layout=layout)
    writer.bit_rate = 96000
    frames = []
    for first in range(0, samples.shape[1], 1024):
        block = np.ascontiguousarray(samples[:, first : first + 1024])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.time_base = sound.rate, Fraction(1, sound.rate)
        frame.pts = first + round(sound.start * sound.rate)
        frames.append(frame)
    return writer, frames


def numbered_frames(count: int, height: int = 48, width: int = 64, step: int = 8) -> np.ndarray:
    """Make frames that tell their number: frame n is grey, of brightness n · `step`."""
    brightness = (np.arange(count) * step).astype("uint8")
    return np.broadcast_to(brightness[:, None, None, None], (count, height, width, 3))


def number_of(image: np.ndarray, step: int = 8) -> int:
    """Read the number off a frame of `numbered_frames` that went through a codec."""
    return round(float(image.mean()) / step)


def corner_frames(count: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Make black frames whose upper left quarter is white, so that they tell which way is up."""
    frames = np.zeros((count, height, width, 3), "uint8")
    frames[:, : height // 2, : width // 2] = 255
    return frames


def tone(seconds: float, rate: int = 16000, frequency: float = 440.0) -> np.ndarray:
    """Make a sine of half the full scale."""
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate).astype("float32")


def clicks(seconds: float, every: float = 0.5, rate: int = 16000) -> np.ndarray:
    """Make silence with a short click that begins at `every`, 2 · `every` and so on, to tell moments apart."""
    sound = np.zeros(round(seconds * rate), "float32")
    for at in np.arange(every, seconds, every):
        sound[round(at * rate) : round(at * rate) + rate // 1000] = 0.9
    return sound


def talking_clip(path: Path, seconds: float = 2.0, height: int = 48, width: int = 64) -> Path:
    """Write an ordinary clip: numbered frames at 25 a second and a tone."""
    frames = numbered_frames(round(seconds * 25), height, width, step=4)
    return make_clip(path, Picture(frames), Sound(tone(seconds)))


def truncate(path: Path, kept: float) -> Path:
    """Cut the end of a file off, so that the fraction `kept` of its bytes stays."""
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])
    return path


def damage(path: Path, first: float, last: float) -> Path:
    """Overwrite the bytes between two fractions of a file with noise."""
    content = bytearray(path.read_bytes())
    low, high = int(len(content) * first), int(len(content) * last)
    content[low:high] = np.random.default_rng(0).bytes(high - low)
    path.write_bytes(content)
    return path


def not_a_video(path: Path) -> Path:
    """Write text under the name of a video."""
    path.write_bytes(b"These are words, and no video at all. " * 200)
    return path
