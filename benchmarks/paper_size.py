"""Measure conversion and one epoch at the size of CH-SIMS v2, on simulated clips, and write the table into README.md.

    python benchmarks/paper_size.py --folder FOLDER     # needs about 8 GB there

The pickle has float64 features, as the official file has. Each job runs in a process of its own.
"""

import argparse
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from page import processor, resident, write_section

import imlcmm
from imlcmm.datasets.field.pickles import read_pickle

TITLE = "Conversion and one epoch at the size of CH-SIMS v2 (simulated clips)"


def make(folder: Path) -> dict[str, float]:
    """Simulate the labelled splits, and write them as a float64 pickle, unless an earlier call has."""
    target = folder / "float64.pkl"
    if target.exists():
        return {"bytes": target.stat().st_size}
    imlcmm.simulate(folder / "simulated.pkl", size="paper", unlabelled=0, as_pickle=True)
    content = read_pickle(folder / "simulated.pkl")
    for split in ("train", "valid", "test"):
        arrays = {key: value for key, value in content[split].items() if hasattr(value, "read")}
        wide = ("text", "audio", "vision")
        content[split] |= {k: np.asarray(v.read(), "float64" if k in wide else None) for k, v in arrays.items()}
    with target.open("wb") as file:
        pickle.dump({split: content[split] for split in ("train", "valid", "test")}, file, protocol=4)
    return {"bytes": target.stat().st_size}


def convert(folder: Path) -> dict[str, float]:
    """Convert the pickle into a store."""
    imlcmm.convert(folder / "float64.pkl", folder / "store", kind="simsv2", progress=False)
    return {}


def epoch(folder: Path, name: str) -> dict[str, float]:
    """Train for one epoch with validation, and keep what a run keeps."""
    data = imlcmm.load_dataset(folder / "store")
    torch.manual_seed(0)
    model = getattr(imlcmm.models, name)(data.spec)
    quiet = imlcmm.TrainerOptions(accelerator="cpu", progress=False)
    begin = time.perf_counter()
    imlcmm.train(model, data, imlcmm.Optimization(epochs=1), folder=folder / name, trainer=quiet)
    return {"clips_per_second": len(data.train) / (time.perf_counter() - begin)}


JOBS: dict[str, Callable[[Path], dict[str, float]]] = {
    "make": make,
    "convert": convert,
    "IMLCMM": lambda folder: epoch(folder, "IMLCMM"),
    "LF_DNN": lambda folder: epoch(folder, "LF_DNN"),
}


def measure(job: str, folder: Path) -> dict[str, float]:
    """Run a job in a new process, which tells its time and its memory."""
    command = [sys.executable, __file__, "--folder", str(folder), "--job", job]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def run(job: str, folder: Path) -> None:
    """Do a job in this process and print what it took."""
    before, begin = resident("VmRSS"), time.perf_counter()
    found = JOBS[job](folder)
    print(json.dumps({**found, "s": time.perf_counter() - begin, "before": before, "peak": resident("VmHWM")}))


def main() -> None:
    """Measure each job."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--job", choices=JOBS)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.job:
        run(options.job, options.folder)
        return
    size = measure("make", options.folder)["bytes"] / 1e9
    found = {job: measure(job, options.folder) for job in ("convert", "IMLCMM", "LF_DNN")}
    lines = [
        f"{processor()}; PyTorch {torch.__version__}, {torch.get_num_threads()} threads; wall-clock time of one run. "
        f"A pickle of {size:.2f} GB; an epoch is 2722 training clips in batches of 32, the validation of 647 and all "
        "that a run writes. The peak includes the libraries, whose share is the memory before the job.",
        "",
        "| job | time (s) | training clips/s | peak memory (MB) | before the job (MB) |",
        "|---|---|---|---|---|",
    ]
    for job, took in found.items():
        name = job if job == "convert" else f"one epoch, {job}"
        rate = f"{took['clips_per_second']:.1f}" if "clips_per_second" in took else "–"
        lines.append(f"| {name} | {took['s']:.1f} | {rate} | {took['peak']:.0f} | {took['before']:.0f} |")
    write_section(TITLE, lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
