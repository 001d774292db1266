"""What lies in the folder of a run, and how it is written and read."""

import platform
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import torch

from imlcmm.errors import TrainingError
from imlcmm.models.base import SentimentModel
from imlcmm.untrusted import inside, read_json

DESCRIPTION, METRICS, TIMING, HISTORY = "run.json", "metrics.json", "timing.json", "history.csv"
ENVIRONMENT = ("imlcmm", "torch", "lightning", "numpy", "safetensors")

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
    extractors: NotRequired[dict[str, dict[str, Any]]]


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
