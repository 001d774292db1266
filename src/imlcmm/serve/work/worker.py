"""A worker process of the workbench: it does any task, and keeps the model that it scored with last."""

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.jobs.threads import use_one_thread
from imlcmm.jobs.workers import Tell
from imlcmm.serve.work.tasks import (
    AdoptTask,
    DatasetTask,
    EvaluateTask,
    PreviewTask,
    ScoreTask,
    SimulateTask,
    Task,
    TrainTask,
)

if TYPE_CHECKING:
    from imlcmm.serve.work.scoring import Scorer
else:
    Scorer = Any

_POLITE = 5


def prepare(options: ExtractorOptions) -> Callable[[Task, Tell], None]:
    """Give what does a task; it is nicer than the server, whose pages shall stay quick.

    What trains and what scores is imported when it is first needed, as either takes seconds.
    """
    use_one_thread()
    if hasattr(os, "nice"):
        os.nice(_POLITE)
    scorer = _scorer(options)

    def do(task: Task, tell: Tell) -> None:
        match task:
            case ScoreTask():
                scorer().score(task, tell)
            case AdoptTask():
                scorer().adopt(task)
            case PreviewTask():
                scorer().preview(task, tell)
            case DatasetTask():
                from imlcmm.serve.work.clips import make_dataset

                make_dataset(task, options, tell)
            case TrainTask():
                from imlcmm.serve.work.training import train_run

                train_run(task, tell)
            case EvaluateTask():
                from imlcmm.serve.work.training import compare_runs

                compare_runs(task)
            case SimulateTask():
                from imlcmm.serve.work.training import simulate_data

                simulate_data(task)
            case _:
                raise TypeError(f"nobody knows how to do {type(task).__name__}")

    return do


def _scorer(options: ExtractorOptions) -> Callable[[], "Scorer"]:
    @cache
    def scorer() -> "Scorer":
        from imlcmm.serve.work.scoring import Scorer

        return Scorer(options)

    return scorer
