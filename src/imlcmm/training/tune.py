"""Search a model's hyper-parameters by the validation split alone."""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from dataclasses import replace
from functools import reduce
from inspect import signature
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import optuna
import torch
from optuna.exceptions import OptunaError
from optuna.trial import TrialState
from sqlalchemy.exc import SQLAlchemyError

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import ImlcmmError, TrainingError, reason_of
from imlcmm.jobs.cluster import pool
from imlcmm.models.base import SentimentModel
from imlcmm.models.search import Choice, Range
from imlcmm.progress import Progress
from imlcmm.training.fit import TrainerOptions, train_seeds
from imlcmm.training.module import Optimization
from imlcmm.training.recipe import Recipe, build_model, optimization_of
from imlcmm.training.run import read_history
from imlcmm.training.run_files import HISTORY

RIVALS = 5
"""From so many finished trials on, one that is behind their median is stopped."""
HEAD_START = 0.25
"""The share of its epochs that a trial always has."""
_RECIPE = "recipe"  # marks the trial of the recipe as it is, of which a study holds the nearest values that it may try
_DONE = (TrialState.COMPLETE, TrialState.PRUNED)

OPTIMIZATION_SEARCH: Mapping[str, Range | Choice] = {
    "lr": Range(1e-4, 1e-2, log=True),
    "weight_decay": Range(1e-6, 1e-1, log=True),
    "batch_size": Choice((16, 32, 64, 128)),
}


def tune(
    model: type[SentimentModel],
    data: SentimentData,
    start: Recipe,
    *,
    folder: Path,
    trials: int = 30,
    minutes: float | None = None,
    seeds: int = 1,
    fixed: Mapping[str, Any] | None = None,
    trainer: TrainerOptions | None = None,
    jobs: int = 1,
    ray: str | None = None,
) -> Recipe:
    """Try hyper-parameters, the recipe's first, and keep those with the least error on validation.

    A trial ends early once its lowest error is above the median of the others' after as many epochs (Golovin et al.
    2017). The study lies in `folder/study.db`; calling again goes on with it until there are as many trials as asked
    for. The test split is not read.

    Args:
        model: Model class; its `search_space` and `OPTIMIZATION_SEARCH` are searched.
        data: Data set with train and valid splits.
        start: Where values come from that are not searched, and what is tried first.
        folder: Folder of the study; a trial's run is kept in it.
        trials: Trials in all, those that ended early among them, but not those that failed.
        minutes: No trial begins once those before have taken so long together; None for no such limit.
        seeds: Seeds of each trial, whose mean error counts.
        fixed: Options of `Optimization` that all trials share, such as fewer epochs.
        trainer: Where to train.
        jobs: Trials at a time, each in a process with its share of the cores; those of one round know the rounds before
            alone, so another number searches another way.
        ray: Address of a Ray cluster that trains a round's trials, whose machines see the same folders; each takes one
            of its processors, so that the results are those of one thread here.

    Raises:
        TrainingError: If nothing is to be tried, or every trial failed.
        ImlcmmError: If there is no cluster at the address.
    """
    if min(trials, seeds, jobs) < 1:
        raise TrainingError(
            f"{trials} trials of {seeds} seeds, {jobs} at a time, were asked for; give 1 or more of each"
        )
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    fixed = dict(fixed or {})
    if fixed.get("patience", 0) is None:
        raise TrainingError("tuning selects on the validation split, so it needs a patience")
    space = {f"options.{k}": v for k, v in model.search_space.items()}
    space |= {f"optimization.{k}": v for k, v in OPTIMIZATION_SEARCH.items() if k not in fixed}
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    name = f"{model.__name__} on {data.checksum}"
    study = open_study(folder / "study.db", name)

    if not any(_RECIPE in trial.user_attrs for trial in study.get_trials(states=(*_DONE, TrialState.FAIL))):
        known = {key: nearest(value_of(start, key, model), values) for key, values in space.items()}
        study.enqueue_trial(known, user_attrs={_RECIPE: True})
    left = trials - len(study.get_trials(states=_DONE))
    here = ProcessPoolExecutor(jobs, get_context("spawn")) if jobs > 1 else _Here()
    threads = 1 if ray else max(1, (os.cpu_count() or 1) // jobs) if jobs > 1 else None
    with pool(here, ray) as submit, Progress(total=trials, initial=max(0, trials - left), unit="trial") as bar:
        for start_of_round in range(0, left, jobs):
            if minutes is not None and minutes_spent(study) >= minutes:
                break
            finished = study.get_trials(states=[TrialState.COMPLETE])
            rivals = [list(trial.intermediate_values.values()) for trial in finished]
            asked = [study.ask() for _ in range(min(jobs, left - start_of_round))]
            futures = []
            for trial in asked:
                values = {key: suggest(trial, key, each) for key, each in space.items()}
                recipe = start if _RECIPE in trial.user_attrs else with_values(start, values)
                place = folder / f"trial-{trial.number}"
                futures.append(submit(_try, model, data, recipe, fixed, seeds, place, trainer, threads, rivals))
            for trial, future in zip(asked, futures, strict=True):
                _note(study, trial, future, bar)
    if not study.get_trials(states=[TrialState.COMPLETE]):
        raise TrainingError(f"no trial came to an end; see what {folder} keeps of them")
    best, count = study.best_trial, len(study.get_trials(states=_DONE))
    source = (
        f"tuned on the validation split of {data.path.name}{' (simulated)' if data.simulated else ''}: "
        f"valid MAE {best.value:.4f}, the best of {count} trial{'s' * (count > 1)}"
    )
    found = start if _RECIPE in best.user_attrs else with_values(start, best.params)
    return replace(found, source=source, optimization={**found.optimization, **fixed})


class _Tried(NamedTuple):
    """What came of a trial.

    Attributes:
        curve: Lowest error on validation so far, an epoch each, of the first seed.
        error: Mean error of the seeds' selected epochs; None if the trial was stopped.
    """

    curve: Sequence[float]
    error: float | None


class _BehindError(Exception):
    """A trial is behind its rivals."""


def _note(study: optuna.Study, trial: optuna.Trial, future: Future[_Tried], bar: Progress) -> None:
    """Wait for a trial, and write what came of it into the study."""
    try:
        tried = future.result()
        for epoch, error in enumerate(tried.curve):
            trial.report(error, epoch)
        study.tell(trial, tried.error, TrialState.PRUNED if tried.error is None else None)
    except (ImlcmmError, RuntimeError) as error:
        study.tell(trial, state=TrialState.FAIL)
        bar.write(f"trial {trial.number} failed: {error}", file=sys.stderr)
    bar.update()


def is_behind(curve: Sequence[float], rivals: Sequence[Sequence[float]], epochs: int) -> bool:
    """Tell whether a trial of so many epochs at most is to be stopped, by its rivals' errors after as many epochs."""
    done = len(curve)
    if len(rivals) < RIVALS or done < max(1, HEAD_START * epochs):
        return False
    return curve[-1] > median(rival[min(done, len(rival)) - 1] for rival in rivals)


def _try(
    model: type[SentimentModel],
    data: SentimentData,
    recipe: Recipe,
    fixed: Mapping[str, Any],
    seeds: int,
    folder: Path,
    trainer: TrainerOptions | None,
    threads: int | None,
    rivals: Sequence[Sequence[float]],
) -> _Tried:
    """Train a trial's seeds, on so many threads if a number is given, unless the first falls behind."""
    if threads:
        torch.set_num_threads(threads)
    how = optimization_of(recipe, **fixed)
    curve: list[float] = []

    def told(seed: int, epochs: int) -> None:
        curve[:] = read_history(folder, f"seed-{how.seed}/{HISTORY}")["valid_mae"].cummin().tolist()
        if seed == how.seed and epochs < how.epochs and is_behind(curve, rivals, how.epochs):
            raise _BehindError

    try:
        run = train_seeds(
            lambda: build_model(model, data.spec, recipe.options), data, how, seeds=range(how.seed, how.seed + seeds),
            folder=folder, resume=True, trainer=replace(trainer or TrainerOptions(), progress=False), told=told,
        )  # fmt: skip
    except _BehindError:
        return _Tried(curve, None)
    return _Tried(curve, float(run.scores["mean"]["valid_mae"]))


class _Here(Executor):
    """Do each call at once."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Call a function, and give what it gives."""
        done: Future[Any] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except Exception as error:
            done.set_exception(error)
        return done


def open_study(file: Path, name: str) -> optuna.Study:
    """Open a study, or begin it.

    Raises:
        TrainingError: If the file is not one.
    """
    sampler = optuna.samplers.TPESampler(seed=0)
    try:
        return optuna.create_study(storage=f"sqlite:///{file}", study_name=name, load_if_exists=True, sampler=sampler)
    except (SQLAlchemyError, OptunaError, RuntimeError) as error:
        raise TrainingError(f"{file} is no study that can be gone on with ({reason_of(error)}); remove it") from error


def minutes_spent(study: optuna.Study) -> float:
    """Give the minutes that a study's trials have taken together."""
    taken = [trial.duration for trial in study.get_trials(states=_DONE)]
    return sum(each.total_seconds() for each in taken if each is not None) / 60


def suggest(trial: optuna.Trial, key: str, values: Range | Choice) -> Any:
    """Draw a value for a trial."""
    if isinstance(values, Range):
        return trial.suggest_float(key, values.low, values.high, log=values.log)
    return trial.suggest_categorical(key, values.values)


def nearest(value: Any, values: Range | Choice) -> Any:
    """Give the value in the space that is nearest to another; the first of its choices if that is none of them."""
    if isinstance(values, Range):
        return min(max(value, values.low), values.high)
    return value if value in values.values else values.values[0]


def with_values(recipe: Recipe, values: Mapping[str, Any]) -> Recipe:
    """Replace values of a recipe, named by their path, such as options.encoders.text_hidden."""
    content: dict[str, Any] = {"options": _copied(recipe.options), "optimization": dict(recipe.optimization)}
    for key, value in values.items():
        *path, last = key.split(".")
        place = content
        for name in path:
            place = place.setdefault(name, {})
        place[last] = value
    return replace(recipe, **content)


def value_of(recipe: Recipe, key: str, model: type[SentimentModel]) -> Any:
    """Give the value of a recipe at a path, or the default that it leaves."""
    where, first, *rest = key.split(".")
    place: Any = getattr(recipe, where)
    for name in (first, *rest):
        if not isinstance(place, Mapping) or name not in place:
            owner = model if where == "options" else Optimization
            return reduce(getattr, rest, signature(owner).parameters[first].default)
        place = place[name]
    return place


def _copied(options: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _copied(v) if isinstance(v, Mapping) else v for k, v in options.items()}
