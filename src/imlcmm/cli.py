"""The command line: one function a command. Results go to standard output, everything else to standard error."""

import errno
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NoReturn

from imlcmm.errors import ImlcmmError


def convert(
    source: Path,
    out: Path,
    *,
    kind: str | None = None,
    dtype: Literal["float32", "float16"] = "float32",
) -> None:
    """Turn one of the field's feature files into a store, or a store into such a file, and print the data card.

    Args:
        source: Feature pickle, or store.
        out: Store to write; a name ending in .pkl writes a pickle.
        kind: Rules of the data set: simsv2, sims, mosi or mosei.
        dtype: Number format of the stored features.
    """
    from imlcmm.datasets.card import data_card
    from imlcmm.datasets.convert import convert as to_store
    from imlcmm.datasets.export import export_pickle
    from imlcmm.datasets.loading import load_dataset

    if out.suffix in (".pkl", ".pickle"):
        export_pickle(load_dataset(source, kind), out)
        _show(f"{out} written")
        return
    _show(data_card(load_dataset(to_store(source, out, kind=kind, dtype=dtype))))


def simulate(
    out: Path,
    *,
    size: Literal["demo", "paper"] = "demo",
    seed: int = 0,
    unlabelled: int | None = None,
    as_pickle: bool = False,
) -> None:
    """Write a simulated data set and print its card.

    Args:
        out: Store to write.
        size: A small one, or one of the shape of CH-SIMS v2.
        seed: Seed of everything drawn.
        unlabelled: Clips without labels, if not as many as the size has.
        as_pickle: Whether to write the field's pickle instead of a store.
    """
    from imlcmm.datasets.card import data_card
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.datasets.simulate import simulate as write

    written = write(out, size=size, seed=seed, unlabelled=unlabelled, as_pickle=as_pickle)
    _show(f"{written} written" if as_pickle else data_card(load_dataset(written)))


def train(arguments: Any) -> None:
    """Train a model for some seeds; see `imlcmm train --help`."""
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model
    from imlcmm.training.fit import train_seeds
    from imlcmm.training.recipe import build_model

    data = load_dataset(arguments.data, arguments.kind)
    model = find_model(arguments.model.class_path)
    options = dict(arguments.model.get("init_args") or {})
    first = arguments.optimization.seed
    unlabelled = load_dataset(arguments.unlabelled).unlabelled if arguments.unlabelled else None
    run = train_seeds(
        lambda: build_model(model, data.spec, options),
        data,
        arguments.optimization,
        seeds=range(first, first + arguments.seeds),
        folder=arguments.folder or Path("runs") / model.__name__,
        unlabelled=unlabelled,
        train_clips=data.train.sample(arguments.label_share),
        resume=arguments.resume,
        trainer=arguments.trainer,
    )
    _show(f"{len(run.seeds)} seeds trained in {run.folder}; score them with: imlcmm evaluate {run.folder} --data "
          f"{arguments.data}")  # fmt: skip


def evaluate(
    runs: list[Path],
    *,
    data: Path,
    kind: str | None = None,
    split: Literal["test", "valid"] = "test",
    out: Path | None = None,
) -> None:
    """Score runs on a split, compare them in pairs, and write JSON, CSV and Markdown.

    Args:
        runs: Run folders.
        data: Store or feature pickle.
        kind: Rules of the data set, for a pickle.
        split: Split to score.
        out: Folder of the results; without it, `evaluation-SPLIT` in the first run's folder.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.evaluation.evaluate import evaluate_runs
    from imlcmm.reports.figures import predicted_against_true

    report = evaluate_runs(runs, load_dataset(data, kind), split)
    folder = out or runs[0] / f"evaluation-{split}"
    report.write(folder)
    predicted_against_true(report.evaluations, folder / "predicted-against-true.png")
    _show(report.markdown)
    _show(f"written to {folder}")


def leaderboard(
    *,
    data: Path,
    models: list[str],
    options: list[str],
    kind: str | None = None,
    seeds: int = 5,
    jobs: int = 1,
    folder: Path = Path("runs/leaderboard"),
) -> None:
    """Train all models by their recipes and compare them; what is finished stays. After -- come options of `train`.

    Args:
        data: Store or feature pickle.
        models: Names of the models; all of them by default.
        options: Options of `imlcmm train` for every model, such as --optimization.epochs=12.
        kind: Rules of the data set, for a pickle.
        seeds: Seeds a model.
        jobs: Models trained at a time.
        folder: Folder of the runs and the results.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model, list_models
    from imlcmm.reports.leaderboard import leaderboard as run

    names = [find_model(name).__name__ for name in models or list_models()]
    board = run(load_dataset(data, kind), names, folder=folder, seeds=seeds, jobs=jobs, options=options)
    board.write(folder)
    _show(board.markdown)
    _show(f"written to {folder}: leaderboard.md, .csv, .tex and .png")


def tune(
    model: str,
    *,
    data: Path,
    out: Path,
    kind: str | None = None,
    trials: int = 30,
    seeds: int = 1,
    epochs: int | None = None,
    folder: Path | None = None,
) -> None:
    """Search a model's hyper-parameters on the validation split, and write a recipe for `imlcmm train --recipe`.

    Args:
        model: Name of the model.
        data: Store or feature pickle.
        out: Recipe to write, a .yaml file.
        kind: Rules of the data set, for a pickle.
        trials: Finished trials in all; a study that was interrupted goes on.
        seeds: Seeds of each trial.
        epochs: Epochs of each trial at most, if not the recipe's.
        folder: Folder of the study; default runs/tune-MODEL.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model
    from imlcmm.training.recipe import shipped_recipe
    from imlcmm.training.tune import tune as search

    found, opened = find_model(model), load_dataset(data, kind)
    recipe = search(
        found, opened, shipped_recipe(opened.spec.kind, found), trials=trials, seeds=seeds,
        folder=folder or Path("runs") / f"tune-{found.__name__}", fixed={"epochs": epochs} if epochs else {},
    )  # fmt: skip
    recipe.write(out)
    _show(f"{out} written: {recipe.source}")


def models(name: str | None = None, *, data: Path | None = None, kind: str | None = None) -> None:
    """List the models, or show one: its idea, paper, inputs and size.

    Args:
        name: Name of a model.
        data: Data set whose shapes the size is for; without it, those of CH-SIMS v2.
        kind: Rules of the data set, for a pickle.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model
    from imlcmm.models.card import CH_SIMS_V2, model_card, model_list
    from imlcmm.training.recipe import shipped_recipe

    if name is None:
        _show(model_list())
        return
    model = find_model(name)
    spec = load_dataset(data, kind).spec if data else CH_SIMS_V2
    _show(model_card(model, shipped_recipe(spec.kind, model).build(spec), spec))


COMMANDS: dict[str, Callable[..., None]] = {
    "convert": convert,
    "simulate": simulate,
    "evaluate": evaluate,
    "leaderboard": leaderboard,
    "tune": tune,
    "models": models,
}


def main(arguments: list[str] | None = None) -> int:
    """Run a command; a user's mistake is answered by one line and exit code 2."""
    words = sys.argv[1:] if arguments is None else list(arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format="%(name)s: %(message)s")
    with _one_line_errors(debug):
        _run(words)
    return 0


def _run(words: list[str]) -> None:
    parser = _parser("Multimodal sentiment analysis. --debug shows tracebacks.", prog="imlcmm")
    commands = parser.add_subcommands()
    for name, command in COMMANDS.items():
        sub = _parser((command.__doc__ or "").splitlines()[0])
        if name == "evaluate":
            sub.add_argument("runs", nargs="+", type=Path, help="run folders")
        if name == "leaderboard":
            sub.add_argument("--models", nargs="+", type=str, default=[], help="names of the models; default all")
        if name == "models":
            sub.add_argument("name", nargs="?", type=str, help="name of a model")
        sub.add_function_arguments(command, as_positional=True, skip={"runs", "models", "options", "name"})
        commands.add_subcommand(name, sub)
    training = words[:1] == ["train"]
    if training:
        words = _with_import_path(words)
    commands.add_subcommand("train", _train_parser(with_options=training))
    words, options = _parted(words)
    given = parser.parse_args(words)
    chosen = given[given.subcommand]
    if given.subcommand == "train" and chosen.recipe != "none":
        given = parser.parse_args(["train", "--config", _recipe_options(chosen), *words[1:]])
    if given.subcommand == "train":
        train(parser.instantiate(given).train)
    else:
        more = {"options": options} if given.subcommand == "leaderboard" else {}
        COMMANDS[given.subcommand](**{k: v for k, v in chosen.items() if k != "config"}, **more)


def _parted(words: list[str]) -> tuple[list[str], list[str]]:
    """Part a leaderboard's own words from those after `--`, which are for the training of every model."""
    if words[:1] != ["leaderboard"] or "--" not in words:
        return words, []
    place = words.index("--")
    return words[:place], words[place + 1 :]


def _train_parser(*, with_options: bool) -> Any:
    """Declare `train`; its options come from the models and the trainer, which are slow to import."""
    parser = _parser("Train a model for some seeds, with selection on the validation split.")
    if not with_options:
        return parser
    from imlcmm.models.base import SentimentModel
    from imlcmm.training.fit import TrainerOptions
    from imlcmm.training.module import Optimization

    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("--data", type=Path, required=True, help="store or feature pickle")
    parser.add_argument(
        "--kind", type=str | None, help="rules of the data set, for a pickle: simsv2, sims, mosi, mosei"
    )
    parser.add_argument(
        "--recipe",
        default="auto",
        help="defaults under your options: auto (the model's for this kind of data), none, a file",
    )
    parser.add_argument("--folder", type=Path | None, help="folder of the run; default runs/MODEL")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from optimization.seed on")
    parser.add_argument("--resume", type=bool, default=False, nargs="?", const=True, help="go on with what is there")
    parser.add_argument(
        "--unlabelled", type=Path | None, help="store with unlabelled clips, for semi-supervised training"
    )
    parser.add_argument("--label_share", type=float, default=1.0, help="share of the labelled clips to train on")
    parser.add_subclass_arguments(SentimentModel, "model", skip={"spec"}, instantiate=False, required=True)
    parser.add_class_arguments(Optimization, "optimization")
    parser.add_class_arguments(TrainerOptions, "trainer")
    return parser


def _recipe_options(given: Any) -> str:
    """Write the options of the recipe that was asked for as the parser's configuration, in JSON."""
    import json

    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model
    from imlcmm.training.recipe import read_recipe, shipped_recipe

    model = find_model(given.model.class_path)
    if given.recipe == "auto":
        kind = load_dataset(given.data, given.kind).spec.kind
        recipe = shipped_recipe(kind, model, unlabelled=given.unlabelled is not None)
    else:
        recipe = read_recipe(Path(given.recipe))
    options = {"class_path": given.model.class_path, "init_args": recipe.options}
    return json.dumps({"model": options, "optimization": recipe.optimization})


def _with_import_path(words: list[str]) -> list[str]:
    """Replace the model's name, however it is spelt, by the import path that the parser reads."""
    from imlcmm.models import find_model

    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--model=") else [word])]
    for i, (flag, value) in enumerate(pairwise(parts), start=1):
        if flag == "--model" and not value.endswith((".yaml", ".yml", ".json")):
            model = find_model(value)
            parts[i] = f"{model.__module__}.{model.__qualname__}"
    return parts


def _parser(description: str, **options: Any) -> Any:
    """Make a parser whose complaints are one line, like those of everything else."""
    from jsonargparse import ArgumentParser

    class Parser(ArgumentParser):
        def error(self, message: str, ex: Exception | None = None) -> NoReturn:
            hint = "" if "--help" in message else f"; see {self.prog.replace(' [options]', '')} --help"
            raise ImlcmmError(_essence(message) + hint)

    return Parser(description=description, **options)


def _essence(message: str) -> str:
    """Join the lines of a parser's complaint, without those that speak of types or repeat what was given."""
    noise = ("Does not validate", "Subtypes:", "Errors:", "Expected a <class 'NoneType'>", "Given value")
    lines = [line.strip().removeprefix("- ") for line in message.splitlines()]
    return " ".join(line for line in lines if line and not line.startswith(noise))


@contextmanager
def _one_line_errors(debug: bool) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write("imlcmm: interrupted; a training run goes on with --resume\n")
        raise SystemExit(130) from None
    except (ImlcmmError, OSError) as error:
        if debug:
            raise
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        sys.stderr.write(f"imlcmm: {'the disk is full: free some space and run again' if full else error}\n")
        raise SystemExit(2) from None


def _show(text: str) -> None:
    sys.stdout.write(text.rstrip() + "\n")


if __name__ == "__main__":
    sys.exit(main())
