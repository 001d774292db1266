"""How long `imlcmm predict` takes to answer from a cold start, and how much memory it needs, beside an earlier state.

    python benchmarks/first_answer.py [CLIP] [--keep FILE] [--beside FILE]

Each answer is a process of its own, and so is the worker that it starts: times are those of both, the peak is that of
the larger one. Without a clip one is made that holds a tone and grey pictures: nobody speaks there, so that the speech
model is never loaded; give a clip of five to seven seconds in which somebody does.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from page import processor, write_section

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from clips import talking_clip

TITLE = "The first answer"
CLIPS = 4
SAID = "这家店很好，我很喜欢。"
JOBS = {
    "a clip, its words heard, voice and face": [],
    "a clip, its words given and timed, no pictures": ["--transcript", SAID, "--cues", "voice"],
    "a clip, its words given and spread, no pictures": [
        "--transcript", SAID, "--cues", "voice", "--no-asr"
    ],
    f"a folder of {CLIPS} such clips, their words heard": [],
}  # fmt: skip


class Cost(NamedTuple):
    """What an answer costs: seconds by the clock, seconds of processors, and MB of the larger process."""

    wall: float
    cpu: float
    peak: float


def main() -> None:
    """Measure every job, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", nargs="?", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--keep", type=Path, help="file for the figures of this state")
    parser.add_argument("--beside", type=Path, help="file of an earlier state's figures")
    options = parser.parse_args()
    with TemporaryDirectory() as folder:
        clip = options.clip or talking_clip(Path(folder) / "made.mp4", 6.0, 360, 640)
        many = Path(folder) / "many"
        many.mkdir()
        for number in range(CLIPS):
            shutil.copyfile(clip, many / f"{number}{clip.suffix}")
        costs = {}
        for job, words in JOBS.items():
            what = many if "folder" in job else clip
            answer(what, words)  # once for the files that the system keeps in memory
            costs[job] = typical([answer(what, words) for _ in range(options.repeats)])
            print(job, costs[job], f"load {os.getloadavg()[0]:.1f}", flush=True)
    load = os.getloadavg()[0]
    if options.keep:
        options.keep.write_text(json.dumps({"load": load, "costs": costs}))
    earlier = json.loads(options.beside.read_text()) if options.beside else {"costs": {}}
    before = {job: Cost(*values) for job, values in earlier["costs"].items()}
    told = f" Before (load {earlier['load']:.1f}) → now." if before else ""
    rows = [
        f"| {job} | {figures(before, job, 'wall', '.1f')}{cost.wall:.1f} | {figures(before, job, 'cpu', '.1f')}"
        f"{cost.cpu:.1f} | {figures(before, job, 'peak', ',.0f')}{cost.peak:,.0f} |"
        for job, cost in costs.items()
    ]
    write_section(TITLE, [
        f"{processor()}, {os.cpu_count()} cores under a load of {load:.1f}; median of {options.repeats}, files in the "
        f"system's memory.{told}",
        "",
        "| answer | seconds | seconds of processors | peak, MB |",
        "|---|---|---|---|",
        *rows,
    ])  # fmt: skip


def answer(path: Path, words: list[str]) -> Cost:
    """Ask once."""
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "imlcmm", "predict", str(path), *words], stdout=subprocess.DEVNULL
    )
    _, status, used = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"no answer for {path}")
    return Cost(wall, used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)


def typical(costs: list[Cost]) -> Cost:
    """Give the median of each figure."""
    return Cost(*map(median, zip(*costs, strict=True)))


def figures(before: dict[str, Cost], job: str, name: str, form: str) -> str:
    """Write an earlier figure in front of the one of now."""
    return f"{getattr(before[job], name):{form}} → " if job in before else ""


if __name__ == "__main__":
    main()
