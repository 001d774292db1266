"""Measure the way from a store to Parquet files and tar shards and back, and write README.md's table.

    python benchmarks/interchange.py [--clips 50000 200000]

The clips are random and small: 8 text steps of 32 numbers, 16 audio steps of 16, 8 vision steps of 24, all labels. Each
job runs in a process of its own, whose memory psutil looks at twenty times a second: all that is resident, and without
the files that it maps or shares. What is told is the rise over the memory just before the job.
"""

import argparse
import io
import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from page import processor, write_section

from imlcmm.datasets.convert import convert
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.types import TARGETS, Clip

TITLE = "Interchange: Parquet files and tar shards"
SHAPES = {"text": (8, 32), "audio": (16, 16), "vision": (8, 24)}
BYTES = 4 * sum(steps * width for steps, width in SHAPES.values())
JOBS = {
    "make": "making the store",
    "to-parquet": "store to Parquet",
    "from-parquet": "Parquet to store",
    "read-parquet": "`datasets`, streaming",
    "to-webdataset": "store to shards",
    "from-webdataset": "shards to store",
    "read-webdataset": "`webdataset`",
}


def main() -> None:
    """Run each job in its process, for each number of clips."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, nargs="+", default=[50_000, 200_000])
    parser.add_argument("--job", nargs=3, metavar=("JOB", "CLIPS", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.job:
        job, clips, folder = options.job
        print(json.dumps(measured(lambda: run(job, int(clips), Path(folder)))))
        return
    lines, sized = [], []
    for clips in options.clips:
        with tempfile.TemporaryDirectory() as folder:
            for job, name in JOBS.items():
                command = [sys.executable, __file__, "--job", job, str(clips), folder]
                found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
                rate = clips / found["seconds"]
                lines.append(
                    f"| {name} | {clips:,} | {rate:,.0f} | {rate * BYTES / 1e6:,.0f} | {found['own']:.0f} "
                    f"| {found['resident']:.0f} |"
                )
                print(lines[-1], flush=True)
            sizes = [size(Path(folder, name)) / clips for name in ("s", "parquet", "webdataset")]
            sized.append(
                f"{clips:,} clips: {sizes[0]:,.0f} bytes a clip in the store, {sizes[1]:,.0f} as Parquet, "
                f"{sizes[2]:,.0f} in shards."
            )
            print(sized[-1], flush=True)
    write_section(
        TITLE,
        [
            f"{processor()}, one thread; clips of {BYTES:,} bytes. Seconds are those of the processor, as "
            "the machine was shared. MB/s count the features alone. Memory is the rise "
            "over what the process had before the job, without and with the pages of files that it maps.",
            "",
            "| job | clips | clips/s | MB/s | own memory (MiB) | with mapped files (MiB) |",
            "|---|---|---|---|---|---|",
            *lines,
            "",
            *sized,
        ],
    )


def size(folder: Path) -> int:
    """Count the bytes of all files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def measured(job: Callable[[], None]) -> dict[str, float]:
    """Run a job, and give its seconds and the most that memory rose."""
    process, stop = psutil.Process(), threading.Event()
    memory = [figures(process)]

    def watch() -> None:
        while not stop.wait(0.05):
            memory.append(figures(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.process_time()
    job()
    seconds = time.process_time() - begin
    stop.set()
    watcher.join()
    own, resident = np.max(memory, axis=0) - memory[0]
    return {"seconds": seconds, "own": own / 2**20, "resident": resident / 2**20}


def figures(process: psutil.Process) -> tuple[int, int]:
    """Read the memory of a process: without mapped files, and with them."""
    memory = process.memory_info()
    return memory.rss - memory.shared, memory.rss


def run(job: str, clips: int, folder: Path) -> None:
    """Do one job."""
    store = folder / "s"
    way, _, form = job.partition("-")
    if way == "make":
        make(store, clips)
    elif way == "to":
        convert(store, folder / form, to=form, progress=False)  # type: ignore[arg-type]
    elif way == "from":
        convert(folder / form, folder / "back", progress=False)
        for name in ("dataset.json", "train.safetensors", "train.json"):
            if (folder / "back" / name).stat().st_size != (store / name).stat().st_size:
                raise SystemExit(f"{name} is another")
        shutil.rmtree(folder / "back")
    else:
        count = sum((read_parquet if form == "parquet" else read_shards)(folder / form))
        if count != clips:
            raise SystemExit(f"{count} clips instead of {clips}")


def make(store: Path, clips: int) -> None:
    """Write a store of random clips, whose values repeat after a while."""
    draw = np.random.default_rng(0)
    pool = {m: draw.normal(size=(997, *shape)).astype(np.float32) for m, shape in SHAPES.items()}
    with StoreWriter(store, kind="simsv2", widths={m: w for m, (_, w) in SHAPES.items()}) as writer:
        for n in range(clips):
            labels = dict(zip(TARGETS, draw.uniform(-1, 1, 4).tolist(), strict=True))
            sequences = {m: pool[m][n % 997] + np.float32(n % 101) for m in SHAPES}
            writer.add("train", Clip(f"video{n // 20:07d}$_${n % 20}", f"what is said in clip {n}", sequences, labels))


def read_parquet(folder: Path) -> Iterator[int]:
    """Stream the folder as users of `datasets` do, in batches of Arrow, and count the clips of each."""
    import datasets

    clips = datasets.load_dataset(str(folder), split="train", streaming=True)
    yield from (table.num_rows for table in clips.with_format("arrow").iter(batch_size=256))


def read_shards(folder: Path) -> Iterator[int]:
    """Stream the shards as users of `webdataset` do, decode the arrays, and count the clips."""
    import webdataset

    shards = sorted(str(path) for path in folder.glob("train-*.tar"))
    for sample in webdataset.WebDataset(shards, shardshuffle=False):
        yield len([np.load(io.BytesIO(sample[f"{m}.npy"]), allow_pickle=False) for m in SHAPES]) // len(SHAPES)


if __name__ == "__main__":
    main()
