"""Predict a video of five minutes and one of sixty, joined from clips, and compare time and peak memory.

    python benchmarks/long_video.py CLIP… [--model FOLDER]

Each prediction runs in a process of its own. The clips' packets are copied, not encoded again, so they must have the
same codecs and picture size.
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
from page import processor, resident, write_section

TITLE = "Long videos"
MINUTES = (5, 60)


def main() -> None:
    """Join, predict, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clips", nargs="*", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--job", type=Path)
    options = parser.parse_args()
    if options.job:
        print(json.dumps(measure(options.job, options.model)))
        return
    rows, first = [], None
    with tempfile.TemporaryDirectory() as folder:
        for minutes in MINUTES:
            video = join(options.clips, Path(folder) / f"{minutes}.mp4", 60 * minutes)
            command = [sys.executable, __file__, "--job", str(video)]
            command += ["--model", str(options.model)] if options.model else []
            found = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
            first = first or found["peak"]
            rows.append(
                f"| {minutes} | {found['utterances']:,} | {found['seconds']:,.0f} "
                f"| {60 * minutes / found['seconds']:.2f} | {found['peak']:.2f} | {found['peak'] / first:.2f} |"
            )
            print(rows[-1], flush=True)
    head = "| minutes | utterances | seconds | times real time | peak GiB | of the first |"
    write_section(
        TITLE, [f"{processor()}; `imlcmm predict` as a library.", "", head, "|---|---|---|---|---|---|", *rows]
    )


def measure(video: Path, model: Path | None) -> dict[str, float]:
    """Predict a video."""
    from imlcmm.prediction.predictor import Predictor

    begin = time.perf_counter()
    predictor = Predictor.load(model)
    utterances = sum(1 for _ in predictor.utterances(video))
    seconds = time.perf_counter() - begin
    return {"utterances": utterances, "seconds": seconds, "peak": resident("VmHWM") / 1024}


def join(clips: list[Path], out: Path, seconds: float) -> Path:
    """Copy the packets of the clips one after the other, again and again, until the video is long enough."""
    offset = Fraction(0)
    with av.open(str(out), "w") as target:
        streams = {}
        for clip in cycle(clips):
            with av.open(str(clip)) as source:
                kinds = {s.type: s for s in (*source.streams.video[:1], *source.streams.audio[:1])}
                streams = streams or {kind: target.add_stream_from_template(s) for kind, s in kinds.items()}
                last = offset
                for packet in source.demux(*kinds.values()):
                    if packet.dts is None or packet.stream.type not in streams:
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


if __name__ == "__main__":
    main()
