"""Media files with broken headers: fields overwritten in small good files, from a fixed seed, and extremes by hand."""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from clips import Picture, Sound, make_clip, numbered_frames, tone

COUNT = 200
_FORMATS = {
    "wav": (None, "pcm_s16le"),
    "flac": (None, "flac"),
    "mp3": (None, "libmp3lame"),
    "ogg": (None, "libopus"),
    "au": (None, "pcm_s16be"),
    "aiff": (None, "pcm_s16be"),
    "mp4": ("libx264", "aac"),
    "mkv": ("libx264", "aac"),
    "avi": ("mpeg4", "libmp3lame"),
    "webm": ("libvpx", "libopus"),
    "ts": ("libx264", "aac"),
    "gif": ("gif", None),
}
_EXTREMES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 30_000, 60_000, 1_000_000_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_FIELDS = (b"fmt ", b"data", b"mvhd", b"mdhd", b"stts", b"stsz", b"tkhd", b"avc1", b"mp4a", b"avih", b"strh", b"strf")


def good_files(folder: Path) -> dict[str, bytes]:
    """Make a good file of each format, of half a second."""
    found = {}
    for suffix, (picture, sound) in _FORMATS.items():
        streams: list[Picture | Sound] = []
        if picture:
            streams.append(Picture(numbered_frames(10, step=2), rate=20, codec=picture))
        if sound:
            streams.append(Sound(tone(0.5, 48_000), 48_000, codec=sound))
        if picture == "gif":
            streams = [Picture(numbered_frames(10, step=2), rate=10, codec="gif")]
        found[suffix] = make_clip(folder / f"good.{suffix}", *streams).read_bytes()
    return found


def by_hand(good: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Break single fields on purpose; the long sound is what a rate of 1 makes hours of."""
    wav = _wav(np.zeros(65_100, "<i2").tobytes())
    for rate in (0, 1, 2, 999, 10_000_000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        yield f"rate-{rate}.wav", _put(wav, 24, "<I", rate)
    for channels in (0, 3, 65, 512, 30_000, 65_535):
        yield f"channels-{channels}.wav", _put(_put(wav, 22, "<H", channels), 32, "<H", 2 * channels & 0xFFFF)
    for size in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
        yield f"size-{size}.wav", _put(wav, 40, "<I", size)
    for side in (0, 1, 16_384, 60_000, 65_535):
        yield f"side-{side}.gif", _put(_put(good["gif"], 6, "<H", side), 8, "<H", side)
        at = good["mp4"].find(b"avc1")
        yield f"side-{side}.mp4", _put(_put(good["mp4"], at + 28, ">H", side), at + 30, ">H", side)
    for box, offset in ((b"mvhd", 16), (b"mvhd", 20), (b"mdhd", 16), (b"mdhd", 20), (b"stts", 12), (b"stts", 16)):
        for value in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
            yield f"{box.decode()}-{offset}-{value}.mp4", _put(good["mp4"], good["mp4"].find(box) + offset, ">I", value)
    for value in (0, 1, 0x7FFFFFFF):
        at = good["avi"].find(b"avih") + 8
        yield f"micros-{value}.avi", _put(good["avi"], at, "<I", value)
        at = good["avi"].find(b"strh") + 28
        yield f"scale-{value}.avi", _put(_put(good["avi"], at, "<I", value), at + 4, "<I", 1)


def broken_files(folder: Path) -> Iterator[Path]:
    """Write the files, one after the other; each lies alone, as whoever reads it may remove it."""
    good = good_files(folder)
    names = list(by_hand(good))
    draw = np.random.default_rng(17)
    while len(names) < COUNT:
        suffix = list(_FORMATS)[len(names) % len(_FORMATS)]
        content = good[suffix]
        for _ in range(int(draw.integers(1, 4))):
            field = bytes(_FIELDS[int(draw.integers(len(_FIELDS)))])
            base = content.find(field) + 4 if field in content and draw.random() < 0.7 else 4
            at = min(base + int(draw.integers(60)), len(content) - 4)
            layout = str(draw.choice(["<I", ">I", "<H", ">H"]))
            value = int(draw.choice(_EXTREMES)) & (0xFFFF if layout.endswith("H") else 0xFFFFFFFF)
            content = _put(content, at, layout, value)
        names.append((f"drawn-{len(names)}.{suffix}", content))
    for name, content in names:
        path = folder / name
        path.write_bytes(content)
        yield path


def _wav(samples: bytes) -> bytes:
    form = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _put(content: bytes, at: int, layout: str, value: int) -> bytes:
    changed = bytearray(content)
    struct.pack_into(layout, changed, at, value)
    return bytes(changed)
