"""The folder of a run: what it was trained on and how, and one folder a seed."""

import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import pandas as pd
import torch

from imlcmm.errors import TrainingError
from imlcmm.models import admit_models, find_model
from imlcmm.models.base import SentimentModel
from imlcmm.models.checkpoint import load_checkpoint
from imlcmm.untrusted import inside, read_json

DESCRIPTION, METRICS, TIMING, HISTORY = "run.json", "metrics.json", "timing.json", "history.csv"
ENVIRONMENT = ("imlcmm", "torch", "lightning", "numpy", "safetensors")


_SEED = re.compile(r"seed-\d{1,18}")

_Model = TypedDict("_Model", {"class": str, "options": dict[str, Any]})


class _Data(TypedDict):
    path: str
    checksum: str
    train_clips: int
    unlabelled_clips: int
    label_share: NotRequired[float]


class _Description(TypedDict):
    model: _Model
    optimization: dict[str, Any]
    data: _Data
    environment: dict[str, str]
    trainer: NotRequired[dict[str, Any]]


class _Outcome(TypedDict):
    best_epoch: int
    epochs: int


class _Timing(TypedDict):
    seconds: float


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
        finished = sorted(f.parent for f in self.folder.glob(f"seed-*/{METRICS}"))
        return [seed for seed in finished if _SEED.fullmatch(seed.name)]

    @property
    def scores(self) -> dict[str, Any]:
        """Read the validation scores: of each seed, and their mean and population deviation."""
        found: dict[str, Any] = read_document(self.folder, METRICS, dict[str, dict[str, Any]])
        return found

    @property
    def outcomes(self) -> list[dict[str, Any]]:
        """Read what training each finished seed came to: `best_epoch` counted from 0, `epochs`, validation scores."""
        return [read_document(self.folder, f"{seed.name}/{METRICS}", _Outcome) for seed in self.seeds]

    @property
    def histories(self) -> list[pd.DataFrame]:
        """Read the losses and scores of each finished seed, a row an epoch."""
        return [_read_history(self.folder, f"{seed.name}/{HISTORY}") for seed in self.seeds]

    @property
    def training_seconds(self) -> float:
        """Add up the wall-clock time of training all finished seeds."""
        timings = [read_document(self.folder, f"{seed.name}/{TIMING}", _Timing) for seed in self.seeds]
        return float(sum(timing["seconds"] for timing in timings))

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
        try:
            return load_checkpoint(inside(self.folder, f"{seed_folder.name}/best"))
        except ValueError as error:
            raise TrainingError(f"{seed_folder / 'best'} {error}; copy the run anew") from error


def load_run(folder: Path | str, *, own_models: Sequence[str] = ()) -> Run:
    """Open a run folder.

    Args:
        folder: What `imlcmm train` wrote.
        own_models: Modules of the caller's whose models the run may name, besides the registered ones; their code runs.

    Raises:
        ModelError: If it names a class that is neither registered nor the caller's.
        TrainingError: If it is not a run, is damaged, or no seed has finished.
    """
    for module in own_models:
        admit_models(module)
    path = Path(folder)
    if not (path / DESCRIPTION).is_file():
        raise TrainingError(f"{path} is not a run: {DESCRIPTION} is missing; give a folder that `imlcmm train` wrote")
    run = Run(path, read_description(path))
    find_model(run.description["model"]["class"])
    if not run.seeds:
        raise TrainingError(f"{path}: no seed has finished training; go on with `imlcmm train … --resume`")
    return run


def read_description(folder: Path) -> dict[str, Any]:
    """Read what a run says of itself.

    Raises:
        TrainingError: If it is damaged.
    """
    found: dict[str, Any] = read_document(folder, DESCRIPTION, _Description)
    return found


def read_document(folder: Path, name: str, kind: Any) -> Any:
    """Read a JSON document of a run folder.

    Raises:
        TrainingError: If it is missing, leads out of the folder, or does not hold what it should.
    """
    try:
        return read_json(inside(folder, name), kind)
    except OSError as error:
        raise TrainingError(f"{folder / name} cannot be read; train again or copy the run anew") from error
    except ValueError as error:
        raise TrainingError(f"{folder / name} {error}; train again or copy the run anew") from error


def _read_history(folder: Path, name: str) -> pd.DataFrame:
    try:
        table = pd.read_csv(inside(folder, name))
        return table.astype(float)[["epoch", *(column for column in table if column != "epoch")]]
    except (OSError, ValueError, LookupError) as error:
        raise TrainingError(f"{folder / name} is no history of epochs; train again or copy the run anew") from error


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
