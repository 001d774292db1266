"""Measure how fast each extractor is, and the whole pipeline with one and two workers, as multiples of real time.

    python benchmarks/features.py CLIP…

Models are loaded and every job has run once before the clock starts; one thread.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from page import processor, write_section

from imlcmm.datasets.extract import extract
from imlcmm.features.clip_extractor import ClipExtractor
from imlcmm.features.media.pictures import read_frames
from imlcmm.features.media.probe import probe
from imlcmm.features.media.recording import Recording
from imlcmm.features.media.sound import read_sound
from imlcmm.features.speech.voice_activity import speech_regions

TITLE = "Feature extraction"
REPEATS, COPIES = 3, 8


def main() -> None:
    """Measure on each clip, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="+", type=Path)
    clips = parser.parse_args().clips
    torch.set_num_threads(1)
    length = sum(probe(clip).duration for clip in clips)
    rows = [f"| {name} | {length / seconds(job, clips):,.1f} |" for name, job in jobs().items()]
    rows += [f"| all, {workers} worker{'s'[: workers > 1]} | {pipeline(clips, workers):,.2f} |" for workers in (1, 2)]
    write_section(
        TITLE,
        [
            f"{processor()}; {len(clips)} clips, {length:.0f} s; medians of {REPEATS}. The pipeline reads {COPIES} "
            "copies of each clip, and its time includes the start of its processes.",
            "",
            "| job | times real time |",
            "|---|---|",
            *rows,
        ],
    )
    print("\n".join(rows))


def jobs() -> dict[str, Callable[[Path], object]]:
    """Name what is measured."""
    extractor = ClipExtractor()

    def sound(clip: Path) -> object:
        return read_sound(clip)

    def frames(clip: Path) -> list[object]:
        return list(read_frames(clip, rate=25.0)) if probe(clip).has_picture else []

    def whole(clip: Path, said: str | None = None) -> object:
        with Recording(clip) as recording:
            return extractor(recording, transcript=said)

    return {
        "decoding of sound": sound,
        "decoding of pictures, 25 a second": frames,
        "voice activity, with decoding": lambda clip: speech_regions(read_sound(clip)),
        "MFCC, with decoding": lambda clip: extractor.audio(read_sound(clip)),
        "face, with decoding": lambda clip: extractor.vision(frames(clip)),
        "transcript, with decoding": lambda clip: extractor.transcriber(read_sound(clip)),
        "all without transcript": lambda clip: whole(clip, "I like it very much"),
        "all": whole,
    }


def seconds(job: Callable[[Path], object], clips: list[Path]) -> float:
    """Time a job over all clips."""
    times = []
    for _ in range(1 + REPEATS):
        begin = time.perf_counter()
        for clip in clips:
            job(clip)
        times.append(time.perf_counter() - begin)
    return statistics.median(times[1:])


def pipeline(clips: list[Path], workers: int) -> float:
    """Extract copies of the clips, and give the multiple of real time."""
    with tempfile.TemporaryDirectory() as folder:
        videos = Path(folder) / "videos"
        videos.mkdir()
        for clip in clips:
            for number in range(COPIES):
                (videos / f"{clip.stem}-{number}{clip.suffix}").symlink_to(clip.resolve())
        length = COPIES * sum(probe(clip).duration for clip in clips)
        begin = time.perf_counter()
        extract(videos, Path(folder) / "store", workers=workers, progress=False)
        return length / (time.perf_counter() - begin)


if __name__ == "__main__":
    main()
