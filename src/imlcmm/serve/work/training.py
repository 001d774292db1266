"""Training and comparing runs for the workbench."""

from typing import TYPE_CHECKING

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.simulation.simulate import simulate
from imlcmm.evaluation.evaluate import evaluate_runs
from imlcmm.evaluation.tables import comparison_table
from imlcmm.jobs.workers import Tell
from imlcmm.models import find_model
from imlcmm.serve.work.handover import say
from imlcmm.serve.work.tasks import EvaluateTask, SimulateTask, TrainTask
from imlcmm.training.fit import TrainerOptions, train_seeds
from imlcmm.training.recipe import optimization_of, shipped_recipe

if TYPE_CHECKING:
    from pandas import DataFrame


def train_run(task: TrainTask, tell: Tell) -> None:
    """Train by the shipped recipe, or go on where a run was stopped, to the same bits."""
    data = load_dataset(task.data)
    recipe = shipped_recipe(data.rules.recipes, find_model(task.model)).for_clips(len(data.train))
    how = optimization_of(recipe, **({"epochs": task.epochs} if task.epochs else {}))
    total = task.seeds * how.epochs

    def after_epoch(seed: int, done: int) -> None:
        tell(((seed - how.seed) * how.epochs + done) / total)

    train_seeds(
        lambda: recipe.build(data.spec),
        data,
        how,
        seeds=range(how.seed, how.seed + task.seeds),
        folder=task.run,
        resume=True,
        trainer=TrainerOptions(progress=False),
        told=after_epoch,
    )


def compare_runs(task: EvaluateTask) -> None:
    """Score runs on a split, with intervals, and compare each pair."""
    report = evaluate_runs(list(task.runs), load_dataset(task.data), task.split)
    first = report.evaluations[0]
    say(
        task.out, "comparison", split=task.split, clips=len(first.labels), units=first.units, simulated=first.simulated,
        scores=_table(report.table), gaps=report.gaps,
        pairs=[{"pair": pair, **_table(comparison_table(tests))} for pair, tests in report.comparisons.items()],
    )  # fmt: skip


def simulate_data(task: SimulateTask) -> None:
    """Write a small simulated data set to practise on."""
    simulate(task.data)


def _table(frame: "DataFrame") -> dict[str, list]:
    return {
        "columns": [str(column) for column in frame.columns],
        "rows": [[str(cell) for cell in row] for row in frame.itertuples(index=False)],
    }
