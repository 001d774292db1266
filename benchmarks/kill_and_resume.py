"""Kill a training at random moments, resume it, and compare what it leaves with a run that was never killed.

python benchmarks/kill_and_resume.py --kills 10
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from imlcmm.datasets.simulation.simulate import simulate

COMPARED = ("metrics.json", "history.csv", "best/model.safetensors", "best/config.json")
SEED_FOLDER = "seed-1111"


def main() -> int:
    """Train once without interruption, then once for each kill; print a table, and give 1 if any byte differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--model", default="LF_DNN")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--clips", type=int, default=1600, help="training clips")
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = simulate(Path(folder) / "data", train=options.clips, valid=100, test=20, unlabelled=0)
        command = [sys.executable, "-m", "imlcmm.cli", "train", "--data", str(data), "--model", options.model]
        command += [f"--optimization.epochs={options.epochs}", "--optimization.lr=1e-3", "--trainer.progress=false"]
        whole = Path(folder) / "whole"
        begin = start(command, whole)[1]
        wait_for(whole / SEED_FOLDER / "metrics.json")
        duration = time.perf_counter() - begin
        print(f"{options.model}, {options.epochs} epochs, uninterrupted: {duration:.1f} s after the start-up\n")
        print("| kill | after (s) | epochs done | files identical |\n| --- | --- | --- | --- |")
        same, number = True, 0
        while number < options.kills:
            delay = moments.uniform(0, 0.98) * duration
            run = Path(folder) / f"killed-{number + 1}"
            done = kill(command, run, delay)
            if done is None:
                shutil.rmtree(run)
                continue
            number += 1
            subprocess.run([*command, "--folder", str(run), "--resume"], check=True, stdout=subprocess.DEVNULL)
            different = [name for name in COMPARED if read(run, name) != read(whole, name)]
            same = same and not different
            answer = "no: " + ", ".join(different) if different else "yes"
            print(f"| {number} | {delay:.2f} | {done} | {answer} |", flush=True)
    return 0 if same else 1


def start(command: list[str], run: Path) -> tuple[subprocess.Popen[bytes], float]:
    """Start a training, and give it and the time when it has got as far as making its folder."""
    process = subprocess.Popen([*command, "--folder", str(run)], stdout=subprocess.DEVNULL)
    wait_for(run / SEED_FOLDER)
    return process, time.perf_counter()


def wait_for(path: Path) -> None:
    """Wait until a file or folder exists.

    Raises:
        TimeoutError: If it takes more than ten minutes.
    """
    deadline = time.monotonic() + 600
    while not path.exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{path} did not appear")
        time.sleep(0.005)


def kill(command: list[str], run: Path, delay: float) -> str | None:
    """Kill a training without warning, and tell how many epochs it had written; None if it was done before."""
    process = start(command, run)[0]
    time.sleep(delay)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    if (run / SEED_FOLDER / "metrics.json").exists():
        return None
    history = run / SEED_FOLDER / "history.csv"
    return str(len(history.read_text().splitlines()) - 1) if history.exists() else "0"


def read(run: Path, name: str) -> bytes:
    """Read one of the files of the only seed."""
    return (run / SEED_FOLDER / name).read_bytes()


if __name__ == "__main__":
    sys.exit(main())
