"""Training many settings, each in a process of its own: what is finished stays, one failure does not stop the rest."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from imlcmm.errors import ImlcmmError, TrainingError
from imlcmm.jobs.cluster import pool
from imlcmm.progress import Progress

_TICK = 1.0
T = TypeVar("T")


@dataclass(frozen=True)
class Setting:
    """One way to train: a row of a table.

    Attributes:
        name: What the row is called.
        model: Name of the model.
        options: Options of its constructor that differ from the recipe's.
        optimization: Options of `Optimization` that do.
        teachers: Name of the folder of the setting whose seeds teach it; it must have been trained before.
        unlabelled: Whether clips without labels join.
        label_share: Share of the labelled clips that are trained on.
        few_clips: How many labelled clips are trained on, drawn anew for each seed; 0 for all.
        against: Name of the setting that it is compared with; none for one that others are compared with.
    """

    name: str
    model: str = "IMLCMM"
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    optimization: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    teachers: str | None = None
    unlabelled: bool = False
    label_share: float = 1.0
    few_clips: int = 0
    against: str | None = None

    @property
    def folder(self) -> str:
        """Name of its run's folder: settings that train the same share it."""
        parts = [self.model, *(f"{name}={value}" for name, value in {**self.options, **self.optimization}.items())]
        parts += ["taught"] if self.teachers else []
        parts += ["unlabelled"] if self.unlabelled else []
        parts += [f"labels={self.label_share:g}"] if self.label_share < 1 else []
        parts += [f"clips={self.few_clips}"] if self.few_clips else []
        return "-".join(parts)

    def words(self, unlabelled: Path | None = None, runs: Path = Path()) -> list[str]:
        """Give the words of `imlcmm train`: unlabelled clips are in the given data set, teachers among the given runs.

        An epoch of a share of the labels takes as many steps as one of all, so that the labels alone make the
        difference.
        """
        words = ["--model", self.model, *(f"--model.{name}={value}" for name, value in self.options.items())]
        words += [f"--optimization.{name}={value}" for name, value in self.optimization.items()]
        words += [f"--teachers={runs / self.teachers}"] if self.teachers else []
        words += [f"--unlabelled={unlabelled}"] if self.unlabelled else []
        words += [f"--few_clips={self.few_clips}"] if self.few_clips else []
        if self.label_share < 1:
            words += [f"--label_share={self.label_share:g}", f"--optimization.repeats={round(1 / self.label_share)}"]
        return words


def train_settings(
    settings: Sequence[Setting],
    data: Path,
    folder: Path,
    *,
    seeds: int,
    jobs: int = 1,
    options: Sequence[str] = (),
    unlabelled: Path | None = None,
    ray: str | None = None,
) -> dict[str, str]:
    """Train what is missing, each setting by its model's recipe, and show how many seeds are left and for how long.

    Args:
        settings: What to train.
        data: Path of the data set.
        folder: Folder of the runs, a folder and a log a setting.
        seeds: Seeds a setting.
        jobs: Settings trained at a time; they share the processor's cores.
        options: Further words of `imlcmm train` for every setting.
        unlabelled: Path of the data set whose unlabelled clips join, where a setting asks for them.
        ray: Address of a Ray cluster to train on, whose machines see the same folders; each setting takes one of its
            processors, so that the results are those of one thread here, and `jobs` does not count.

    Returns:
        For each setting that did not come to an end, by its name, the reason.

    Raises:
        TrainingError: If there are no seeds or jobs.
    """
    if seeds < 1 or jobs < 1:
        raise TrainingError(f"{seeds} seeds and {jobs} jobs were asked for; give 1 or more of both")
    if not settings:
        return {}
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    common = ["--data", str(data.absolute()), "--seeds", str(seeds), "--resume", "--trainer.progress=false"]
    words = {
        setting.folder: [*common, *setting.words(unlabelled and unlabelled.absolute(), folder), *options]
        for setting in settings
    }
    reasons: dict[str, str | None] = {}

    def finished() -> int:
        return sum(min(seeds, len(list((folder / name).glob("seed-*/metrics.json")))) for name in words)

    with (
        pool(ThreadPoolExecutor(jobs), ray) as submit,
        Progress(
            total=seeds * len(words), initial=finished(), unit="seed", desc="training", smoothing=0, miniters=0
        ) as bar,
    ):
        names = {submit(_train, folder / name, each, jobs): name for name, each in words.items()}
        waiting: set[Future[str | None]] = set(names)
        while waiting:
            done, waiting = wait(waiting, timeout=_TICK)
            bar.update(finished() - bar.n)
            for future in done:
                name = names[future]
                try:
                    reason = future.result()
                except ImlcmmError as error:
                    reason = str(error)
                reasons[name] = reason
                if reason:
                    bar.write(f"{name} failed: {reason}", file=sys.stderr)
    return {setting.name: reason for setting in settings if (reason := reasons[setting.folder])}


def score_each(settings: Iterable[Setting], failures: dict[str, str], score: Callable[[Setting], T]) -> dict[str, T]:
    """Score the settings that came to an end, by their names; what fails here joins the failures.

    Raises:
        TrainingError: If no setting is left.
    """
    found = {}
    for setting in Progress([s for s in settings if s.name not in failures], desc="scoring", unit="setting"):
        try:
            found[setting.name] = score(setting)
        except ImlcmmError as error:
            failures[setting.name] = str(error)
    if not found:
        raise TrainingError(f"nothing came to an end; the first failed of: {next(iter(failures.values()))}")
    return found


def _train(folder: Path, words: Sequence[str], jobs: int) -> str | None:
    """Train the missing seeds of a run; give the reason if that fails. All it says is kept in a log."""
    command = [sys.executable, "-P", "-m", "imlcmm.cli", "train", "--folder", str(folder), *words]
    environment = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // jobs)), **os.environ}
    log = folder.with_name(f"{folder.name}.log")
    with log.open("w", encoding="utf-8") as file:
        code = subprocess.run(command, check=False, stdout=file, stderr=subprocess.STDOUT, env=environment).returncode
    if code == 0:
        return None
    said = log.read_text(encoding="utf-8").strip().splitlines()
    return said[-1].removeprefix("imlcmm: ") if said else f"the process ended with code {code}"
