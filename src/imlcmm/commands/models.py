"""Commands that score, compare, tune and describe models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from imlcmm.commands.model_list import model_list, trained_models
from imlcmm.commands.own_folder import own_folder
from imlcmm.commands.show import show


def evaluate(
    runs: Sequence[Path],
    *,
    data: Path,
    kind: str | None = None,
    split: Literal["test", "valid"] = "test",
    calibrated: bool = False,
    together: bool = False,
    out: Path | None = None,
) -> None:
    """Score runs on a split, compare them in pairs, and write JSON, CSV and Markdown.

    Args:
        runs: Run folders, or names of runs on the hub, OWNER/NAME.
        data: Store or feature pickle.
        kind: Rules of the data set, for a pickle.
        split: Split to score.
        calibrated: Score what `predict` says: outputs in the place of the mean label of such outputs on validation.
        together: Score the mean of each run's seeds too, as one model.
        out: Folder of the results; without it, `evaluation-SPLIT` in the first run's folder.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.evaluation.evaluate import evaluate_runs
    from imlcmm.files import check_folder
    from imlcmm.reports.tables.figures import predicted_against_true

    folder = out or own_folder(runs[0]) / f"evaluation-{split}{'-calibrated' * calibrated}{'-together' * together}"
    check_folder(folder)
    report = evaluate_runs(list(runs), load_dataset(data, kind), split, calibrated=calibrated, together=together)
    report.write(folder)
    predicted_against_true(report.evaluations, folder / "predicted-against-true.png")
    show(report.markdown)
    show(f"written to {folder}")


def leaderboard(
    *,
    data: Path,
    models: Sequence[str] = (),
    more: Sequence[str] = (),
    kind: str | None = None,
    seeds: int = 5,
    jobs: int = 1,
    ray: str | None = None,
    calibrated: bool = False,
    folder: Path = Path("runs/leaderboard"),
) -> None:
    """Train all models by their recipes and compare them; what is finished stays. After -- come options of `train`.

    Args:
        data: Store or feature pickle.
        models: Names of the models, all of them by default; IMLCMM+ is IMLCMM by its recipe beyond the paper.
        more: Options of `imlcmm train` for every model, such as --optimization.epochs=12.
        kind: Rules of the data set, for a pickle.
        seeds: Seeds a model.
        jobs: Models trained at a time.
        ray: Address of a Ray cluster to train on (HOST:PORT, auto, or local), whose machines see the same folders; each
            model takes one of its processors.
        calibrated: Score what `predict` says: outputs in the place of the mean label of such outputs on validation.
        folder: Folder of the runs and the results.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.files import check_folder
    from imlcmm.models import list_models, named_model
    from imlcmm.models.card import call_name
    from imlcmm.reports.experiments.leaderboard import leaderboard as run
    from imlcmm.training.recipe import BEYOND

    check_folder(folder)
    names = [
        call_name(named_model(name.removesuffix(BEYOND))) + BEYOND * name.endswith(BEYOND)
        for name in models or list_models()
    ]
    board = run(
        load_dataset(data, kind), names, folder=folder, seeds=seeds, jobs=jobs, options=list(more), ray=ray,
        calibrated=calibrated,
    )  # fmt: skip
    board.write(folder)
    show(board.markdown)
    show(f"written to {folder}: leaderboard.md, .csv, .tex and .png")


def tune(
    model: str,
    *,
    data: Path,
    out: Path,
    kind: str | None = None,
    trials: int = 30,
    minutes: float | None = None,
    seeds: int = 1,
    epochs: int | None = None,
    jobs: int = 1,
    ray: str | None = None,
    folder: Path | None = None,
) -> None:
    """Search a model's hyper-parameters on the validation split, and write a recipe for `imlcmm train --recipe`.

    Args:
        model: Name of the model.
        data: Store or feature pickle.
        out: Recipe to write, a .yaml file.
        kind: Rules of the data set, for a pickle.
        trials: Finished trials in all; a study that was interrupted goes on.
        minutes: No trial begins once those before have taken so long together: a budget for models that are slow.
        seeds: Seeds of each trial.
        epochs: Epochs of each trial at most, if not the recipe's.
        jobs: Trials at a time; those of one round do not know of each other, so another number searches another way.
        ray: Address of a Ray cluster to train on (HOST:PORT, auto, or local), whose machines see the same folders; each
            trial takes one of its processors.
        folder: Folder of the study; default runs/tune-MODEL.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.files import check_folder
    from imlcmm.models import named_model
    from imlcmm.training.recipe import shipped_recipe
    from imlcmm.training.tune import tune as search

    check_folder(out.parent)
    found, opened = named_model(model), load_dataset(data, kind)
    start = shipped_recipe(opened.rules.recipes, found).for_clips(len(opened.train))
    recipe = search(
        found, opened, start, trials=trials, minutes=minutes, seeds=seeds,
        folder=folder or Path("runs") / f"tune-{found.__name__}", fixed={"epochs": epochs} if epochs else {},
        jobs=jobs, ray=ray,
    )  # fmt: skip
    recipe.write(out)
    show(f"{out} written: {recipe.source}")


def models(
    name: str | None = None, *, data: Path | None = None, kind: str | None = None, installed: bool = False
) -> None:
    """List the models, or show one: its idea, paper, inputs and size.

    Args:
        name: Name of a model.
        installed: List trained models instead: those of installed packages, and those fetched from the hub.
        data: Data set whose shapes the size is for; without it, those of CH-SIMS v2.
        kind: Rules of the data set, for a pickle.
    """
    if installed:
        show(trained_models())
        return
    if name is None:
        show(model_list())
        return
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import named_model
    from imlcmm.models.card import CH_SIMS_V2, model_card
    from imlcmm.training.recipe import shipped_recipe

    model = named_model(name)
    opened = load_dataset(data, kind) if data else None
    spec, recipes = (opened.spec, opened.rules.recipes) if opened else (CH_SIMS_V2, CH_SIMS_V2.kind)
    show(model_card(model, shipped_recipe(recipes, model).build(spec), spec))
