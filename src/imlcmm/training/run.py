"""The folder of a run: what it was trained on and how, and one folder a seed."""

import json
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from imlcmm.errors import TrainingError
from imlcmm.models.base import SentimentModel
from imlcmm.models.checkpoint import load_checkpoint

ENVIRONMENT = ("imlcmm", "torch", "lightning", "numpy", "safetensors")


@dataclass(frozen=True)
class Run:
    """A finished or unfinished run.

    Attributes:
        folder: Where it is kept.
        description: What `run.json` says: model, optimization, data, environment.
    """

    folder: Path
    description: dict[str, Any]

    @property
    def seeds(self) -> list[Path]:
        """Folders of the finished seeds, in order."""
        return sorted(f.parent for f in self.folder.glob("seed-*/metrics.json"))

    @property
    def scores(self) -> dict[str, Any]:
        """Read the validation scores: of each seed, and their mean and population deviation."""
        found: dict[str, Any] = json.loads((self.folder / "metrics.json").read_text(encoding="utf-8"))
        return found

    @property
    def training_seconds(self) -> float:
        """Add up the wall-clock time of training all finished seeds."""
        return sum(float(json.loads((seed / "timing.json").read_text())["seconds"]) for seed in self.seeds)

    @property
    def name(self) -> str:
        """Name of the model class."""
        return str(self.description["model"]["class"]).rpartition(".")[2]

    @property
    def best(self) -> SentimentModel:
        """Load the model of the first seed."""
        return self.load(self.seeds[0])

    def load(self, seed_folder: Path) -> SentimentModel:
        """Load the selected model of a seed, in evaluation mode."""
        return load_checkpoint(seed_folder / "best")


def load_run(folder: Path | str) -> Run:
    """Open a run folder.

    Raises:
        TrainingError: If it is not one, or no seed has finished.
    """
    path = Path(folder)
    file = path / "run.json"
    if not file.is_file():
        raise TrainingError(f"{path} is not a run: run.json is missing; give a folder that `imlcmm train` wrote")
    run = Run(path, json.loads(file.read_text(encoding="utf-8")))
    if not run.seeds:
        raise TrainingError(f"{path}: no seed has finished training; go on with `imlcmm train … --resume`")
    return run


def environment() -> dict[str, str]:
    """Describe the software and the processor."""
    found = {name: version(name) for name in ENVIRONMENT}
    threads = str(torch.get_num_threads())
    return {**found, "python": platform.python_version(), "machine": platform.machine(), "threads": threads}


def recover_model(folder: Path) -> None:
    """Put the former checkpoint back if a kill came between its removal and the new one's arrival."""
    old = folder.with_name(f".{folder.name}.old")
    if old.exists() and not folder.exists():
        old.rename(folder)


def save_model(model: SentimentModel, folder: Path) -> None:
    """Write a checkpoint folder; an old one is replaced only when the new one is complete."""
    beside, old = folder.with_name(f".{folder.name}.part"), folder.with_name(f".{folder.name}.old")
    for leftover in (beside, old):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        model.save_pretrained(beside)
        if folder.exists():
            folder.rename(old)
        beside.rename(folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
