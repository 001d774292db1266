"""A run: a model trained on a data set, once a seed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypedDict

import pandas as pd

from imlcmm.errors import TrainingError
from imlcmm.models import admit_models, find_model
from imlcmm.models.base import SentimentModel
from imlcmm.models.checkpoint import load_checkpoint
from imlcmm.pretrained import find_pretrained
from imlcmm.training.run_files import DESCRIPTION, HISTORY, METRICS, TIMING, read_description, read_document
from imlcmm.training.share import push, write_shared
from imlcmm.untrusted import inside

_SEED = re.compile(r"seed-\d{1,18}")


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
        return [read_history(self.folder, f"{seed.name}/{HISTORY}") for seed in self.seeds]

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

    def save_pretrained(self, folder: Path | str) -> None:
        """Write the run for others: models, scores, card and recipe, and nothing of this machine.

        Raises:
            TrainingError: If there is something in the folder.
        """
        write_shared(self.folder, self.description, self.seeds, Path(folder))

    def push_to_hub(self, name: str, *, private: bool = True, token: str | None = None) -> str:
        """Upload what `save_pretrained` writes to the Hugging Face hub.

        Args:
            name: OWNER/NAME there.
            private: Whether only its owner may see it, if it is new.
            token: Of the hub; without it, that of `hf auth login`.

        Returns:
            The address.

        Raises:
            TrainingError: If the hub cannot be reached, or refuses.
        """
        with TemporaryDirectory() as folder:
            shared = Path(folder) / "shared"
            write_shared(self.folder, self.description, self.seeds, shared, name)
            return push(shared, name, private=private, token=token)

    @classmethod
    def from_pretrained(cls, name: Path | str, *, own_models: Sequence[str] = ()) -> "Run":
        """Open a run by folder, by the name of an installed one, or by its id on the hub; the same as `load_run`."""
        return load_run(name, own_models=own_models)

    def load(self, seed_folder: Path) -> SentimentModel:
        """Load the selected model of a seed, in evaluation mode."""
        try:
            return load_checkpoint(inside(self.folder, f"{seed_folder.name}/best"))
        except ValueError as error:
            raise TrainingError(f"{seed_folder / 'best'} {error}; copy the run anew") from error


def load_run(name: Path | str, *, own_models: Sequence[str] = ()) -> Run:
    """Open a run folder.

    Args:
        name: The folder, or a name that `find_pretrained` knows.
        own_models: Modules of the caller's whose models the run may name, besides the registered ones; their code runs.

    Raises:
        ModelError: If it names a class that is neither registered nor the caller's.
        TrainingError: If it is not a run, is damaged, or no seed has finished.
    """
    for module in own_models:
        admit_models(module)
    path = find_pretrained(name)
    if not (path / DESCRIPTION).is_file():
        raise TrainingError(f"{path} is not a run: {DESCRIPTION} is missing; give a folder that `imlcmm train` wrote")
    run = Run(path, read_description(path))
    find_model(run.description["model"]["class"])
    if not run.seeds:
        raise TrainingError(f"{path}: no seed has finished training; go on with `imlcmm train … --resume`")
    return run


def read_history(folder: Path, name: str) -> pd.DataFrame:
    """Read the losses and scores of a seed, a row an epoch; `name` is the file's within the run's folder.

    Raises:
        TrainingError: If it is missing or damaged.
    """
    try:
        table = pd.read_csv(inside(folder, name))
        return table.astype(float)[["epoch", *(column for column in table if column != "epoch")]]
    except (OSError, ValueError, LookupError) as error:
        raise TrainingError(f"{folder / name} is no history of epochs; train again or copy the run anew") from error
