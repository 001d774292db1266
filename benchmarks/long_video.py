"""Predict a video of five minutes and one of sixty, joined from clips, and compare time and peak memory.

    python benchmarks/long_video.py CLIP… [--model FOLDER]

Each prediction runs in a process of its own. The clips are encoded once to one size, and their packets joined.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import cycle
from pathlib import Path

import av
import numpy as np
from page import processor, resident, write_section

from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.media.pictures import read_frames
from imlcmm.features.media.sound import SOUND_RATE, stream_sound
from imlcmm.prediction.predictor import Predictor

TITLE = "Long videos"
MINUTES = (5, 60)
SIDE, FRAMES, BLOCK = 640, 25, 1024


def main() -> None:
    """Join, predict, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--frame_rate", type=float, default=ExtractorOptions().frame_rate)
    parser.add_argument("--job", type=Path)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measure(options.job, options.model, options.frame_rate)))
        return
    rows, first = [], None
    with tempfile.TemporaryDirectory() as folder:
        for minutes in MINUTES:
            video = join(options.clips, Path(folder) / f"{minutes}.mp4", 60 * minutes)
            command = [sys.executable, __file__, "--job", str(video), "--frame_rate", str(options.frame_rate)]
            command += ["--model", str(options.model)] if options.model else []
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            first = first or found["peak"]
            rows.append(
                f"| {minutes} | {found['utterances']:,} | {found['seconds']:,.0f} "
                f"| {60 * minutes / found['seconds']:.2f} | {found['peak']:.2f} | {found['peak'] / first:.2f} |"
            )
            print(rows[-1], flush=True)
    head = "| minutes | utterances | seconds | times real time | peak GiB | of the first |"
    modalities = "text alone" if options.model is None else "all three modalities"
    what = f"{processor()}; a model that reads {modalities}, {options.frame_rate:g} pictures a second."
    write_section(TITLE, [what, "", head, "|---|---|---|---|---|---|", *rows])


def measure(video: Path, model: Path | None, frame_rate: float) -> dict[str, float]:
    """Predict a video."""
    begin = time.perf_counter()
    predictor = Predictor.load(model, ExtractorOptions(frame_rate=frame_rate))
    utterances = sum(1 for _ in predictor.utterances(video))
    seconds = time.perf_counter() - begin
    return {"utterances": utterances, "seconds": seconds, "peak": resident("VmHWM") / 1024}


def join(clips: list[Path], out: Path, seconds: float) -> Path:
    """Copy the packets of the clips one after the other, again and again, until the video is long enough."""
    alike = [encode(clip, out.with_name(f"{number}-{out.stem}.mp4")) for number, clip in enumerate(clips)]
    offset = Fraction(0)
    with av.open(str(out), "w") as target:
        streams = {}
        for clip in cycle(alike):
            with av.open(str(clip)) as source:
                streams = streams or {s.type: target.add_stream_from_template(s) for s in source.streams}
                last = offset
                for packet in source.demux():
                    if packet.dts is None or packet.pts < 0:
                        continue
                    base = packet.stream.time_base
                    last = max(last, offset + (packet.pts + packet.duration) * base)
                    packet.pts, packet.dts = (value + round(offset / base) for value in (packet.pts, packet.dts))
                    packet.stream = streams[packet.stream.type]
                    target.mux(packet)
            offset = last
            if offset >= seconds:
                return out
    return out


def encode(clip: Path, out: Path) -> Path:
    """Write a clip at 25 frames a second of one size and one channel of 16 kHz, the picture padded with black."""
    with av.open(str(out), "w") as target:
        picture = target.add_stream(
            "libx264", rate=FRAMES, width=SIDE, height=SIDE, pix_fmt="yuv420p", options={"bf": "0"}
        )
        sound = target.add_stream("aac", rate=SOUND_RATE, layout="mono")
        for number, frame in enumerate(read_frames(clip, rate=FRAMES, longest_side=SIDE)):
            height, width, _ = frame.image.shape
            square = np.pad(frame.image, ((0, SIDE - height), (0, SIDE - width), (0, 0)))
            made = av.VideoFrame.from_ndarray(square, "rgb24")
            made.pts, made.time_base = number, Fraction(1, FRAMES)
            target.mux(picture.encode(made))
        for start, block in enumerate(stream_sound(clip, block=BLOCK / SOUND_RATE)):
            heard = av.AudioFrame.from_ndarray(block[None].astype("float32"), "fltp", "mono")
            heard.sample_rate, heard.pts, heard.time_base = SOUND_RATE, BLOCK * start, Fraction(1, SOUND_RATE)
            target.mux(sound.encode(heard))
        target.mux([*picture.encode(None), *sound.encode(None)])
    return out


if __name__ == "__main__":
    main()
