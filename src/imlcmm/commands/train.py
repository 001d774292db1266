"""The command that trains; its options come from the models and the trainer, which are slow to import."""

from itertools import pairwise
from pathlib import Path
from typing import Any

from imlcmm.commands.parser import Parser
from imlcmm.commands.show import show
from imlcmm.errors import TrainingError
from imlcmm.untrusted import read_yaml

STARTER_NAME = "starter"
_CONFIGURATIONS = (".yaml", ".yml", ".json")


def train(arguments: Any, start: Any = None) -> None:
    """Train a model for some seeds, with selection on the validation split."""
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model
    from imlcmm.training.fit import train_seeds
    from imlcmm.training.recipe import BEST, BEYOND, build_model
    from imlcmm.training.run import load_run

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
        folder=arguments.folder or Path("runs") / f"{model.__name__}{BEYOND * (arguments.recipe == BEST)}",
        unlabelled=unlabelled,
        train_clips=data.train.sample(arguments.label_share),
        few_clips=arguments.few_clips,
        teachers=load_run(arguments.teachers) if arguments.teachers else None,
        teaching_share=arguments.teaching_share,
        start=start,
        resume=arguments.resume,
        trainer=arguments.trainer,
    )
    many = f"{len(run.seeds)} seed{'s' * (len(run.seeds) > 1)}"
    show(f"{many} trained in {run.folder}; score with: imlcmm evaluate {run.folder} --data {arguments.data}")


def train_from_words(words: list[str]) -> None:
    """Read the options, under them those of the recipe, and train."""
    words = _with_import_path(words)
    _check_files(words)
    parser = train_parser()
    given = parser.parse_args(words)
    start = _start(given.start) if given.start else None
    given = parser.parse_args(["--config", _defaults(given, start), *words])
    train(parser.instantiate(given), start)


def train_parser() -> Parser:
    """Declare the options of training."""
    from jsonargparse import set_parsing_settings

    from imlcmm.models import admissible_paths
    from imlcmm.models.base import SentimentModel
    from imlcmm.training.fit import TrainerOptions
    from imlcmm.training.module import Optimization

    # A configuration may come from a stranger: it can name models, and nothing else that would be imported.
    set_parsing_settings(import_path_denylist=["*"], import_path_allowlist=admissible_paths())
    parser = Parser(prog="imlcmm train", description=(train.__doc__ or "").splitlines()[0])
    parser.add_argument("--config", action="config", help="YAML file with any of these options")
    parser.add_argument("--data", type=Path, required=True, help="store or feature pickle")
    parser.add_argument(
        "--kind",
        type=str | None,
        help="rules of the data set, for a pickle: simsv2, sims, mosi, mosei, or a .yaml file",
    )
    parser.add_argument(
        "--recipe",
        default="auto",
        help="defaults under your options: auto (the model's for this kind of data), best (beyond its paper; the same "
        "as a + behind the model's name), tuned (by up to 20 trials on simulated clips), none, a file",
    )
    parser.add_argument("--folder", type=Path | None, help="folder of the run; default runs/MODEL")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from optimization.seed on")
    parser.add_argument("--resume", type=bool, default=False, nargs="?", const=True, help="go on with what is there")
    parser.add_argument(
        "--unlabelled", type=Path | None, help="store with unlabelled clips, for semi-supervised training"
    )
    parser.add_argument("--teachers", type=Path | None, help="run on the same data whose seeds soften the labels")
    parser.add_argument("--teaching_share", type=float, default=0.5, help="what they count, the label the rest")
    parser.add_argument(
        "--start",
        type=str | None,
        help="run or checkpoint whose weights to begin with, or 'starter'; its options stand above a recipe's",
    )
    parser.add_argument("--label_share", type=float, default=1.0, help="share of the labelled clips to train on")
    parser.add_argument(
        "--few_clips", type=int | None, help="so many labelled clips in its place, others for each seed"
    )
    parser.add_subclass_arguments(SentimentModel, "model", skip={"spec"}, instantiate=False, required=True)
    parser.add_class_arguments(Optimization, "optimization")
    parser.add_class_arguments(TrainerOptions, "trainer")
    return parser


def _start(name: str) -> Any:
    """Load the model to start from."""
    from imlcmm.models.checkpoint import load_checkpoint
    from imlcmm.prediction.predictor import find_checkpoint

    return load_checkpoint(find_checkpoint(None if name == STARTER_NAME else name))


def _check_files(words: list[str]) -> None:
    """Refuse configurations that are no plain YAML, or would fill the memory, before the parser reads them."""
    for word in words:
        file = Path(word.split("=", 1)[-1])
        if file.suffix in _CONFIGURATIONS and file.is_file():
            try:
                read_yaml(file.read_text(encoding="utf-8"))
            except (OSError, ValueError) as error:
                raise TrainingError(f"{file} {error}; see imlcmm train --print_config") from error


def _defaults(given: Any, start: Any) -> str:
    """Write the options of the recipe that was asked for, and of the model to start from, as JSON for the parser."""
    import json

    from imlcmm.training.start import chosen_options

    recipe = _recipe(given, started=start is not None)
    options = {**recipe.options, **(chosen_options(start) if start else {})}
    model = {"class_path": given.model.class_path, "init_args": options}
    return json.dumps({"model": model, "optimization": recipe.optimization})


def _recipe(given: Any, *, started: bool) -> Any:
    """Find the recipe that was asked for; by all of the clips, so that a share of labels alone makes a difference."""
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.models import find_model
    from imlcmm.training.recipe import Recipe, read_recipe, shipped_recipe

    if given.recipe == "none":
        return Recipe(given.model.class_path)
    file = Path(given.recipe)
    recipe = read_recipe(file) if file.suffix in _CONFIGURATIONS or file.is_file() else None
    if recipe is None or recipe.few_clips:
        data, name = load_dataset(given.data, given.kind), "" if given.recipe == "auto" else given.recipe
        if recipe is None:
            model, unlabelled = find_model(given.model.class_path), given.unlabelled is not None
            recipe = shipped_recipe(data.rules.recipes, model, unlabelled=unlabelled, started=started, name=name)
        recipe = recipe.for_clips(given.few_clips or len(data.train))
    return recipe


def _with_import_path(words: list[str]) -> list[str]:
    """Replace the model's name, however it is spelt, by the import path that the parser reads; + asks for a recipe."""
    from imlcmm.models import import_path, named_model
    from imlcmm.training.recipe import BEST, BEYOND

    parts = [part for word in words for part in (word.split("=", 1) if word.startswith("--model=") else [word])]
    for i, (flag, value) in enumerate(pairwise(parts), start=1):
        if flag == "--model" and not value.endswith(_CONFIGURATIONS):
            parts[i] = import_path(named_model(value.removesuffix(BEYOND)))
            return [*parts, "--recipe", BEST] if value.endswith(BEYOND) else parts
    return parts
