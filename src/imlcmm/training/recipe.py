"""Recipes: with which hyper-parameters a model is trained on a data set, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, is_dataclass, replace
from importlib.resources import files
from inspect import signature
from pathlib import Path
from typing import Any

import yaml

from imlcmm.errors import ImlcmmError, ModelError, TrainingError, reason_of
from imlcmm.files import write_text
from imlcmm.models import find_model
from imlcmm.models.base import SentimentModel
from imlcmm.models.card import call_name
from imlcmm.training.module import Optimization
from imlcmm.types import DataSpec
from imlcmm.untrusted import check_type, read_yaml

FOLDER = files("imlcmm") / "recipes"
BEST = "best"
"""Name of recipes that go beyond a model's paper."""
BEYOND = "+"
"""Behind a model's name it asks for that recipe."""
FEW = 300
"""Up to so many training clips, what a recipe says of few clips holds."""


@dataclass(frozen=True)
class Recipe:
    """What differs from the defaults of a model's constructor and of `Optimization`.

    Attributes:
        model: Name of the model.
        source: Where the values come from.
        options: Options of the model's constructor; those of a nested value object by their names.
        optimization: Options of `Optimization`.
        few_clips: Those of them that differ where there are at most `FEW` training clips.
    """

    model: str
    source: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    optimization: Mapping[str, Any] = field(default_factory=dict)
    few_clips: Mapping[str, Any] = field(default_factory=dict)

    def for_clips(self, clips: int) -> "Recipe":
        """Give the recipe for a number of training clips: with few, an epoch has too few steps to learn in."""
        changed = {**self.optimization, **self.few_clips} if clips <= FEW else self.optimization
        return replace(self, optimization=changed, few_clips={})

    def build(self, spec: DataSpec) -> SentimentModel:
        """Build the model for a data set."""
        return build_model(find_model(self.model), spec, self.options)

    def write(self, path: Path) -> None:
        """Write the recipe as YAML."""
        content = {
            "model": self.model, "source": self.source, "options": dict(self.options),
            "optimization": dict(self.optimization),
        }  # fmt: skip
        write_text(path, yaml.safe_dump(content, sort_keys=False, allow_unicode=True))


def shipped_recipe(
    kind: str, model: type[SentimentModel], *, unlabelled: bool = False, started: bool = False, name: str = ""
) -> Recipe:
    """Give the recipe that comes with the project, or an empty one where there is none, as for a user's own model.

    Args:
        kind: The catalogue's name of the data set's rules.
        model: Model class.
        unlabelled: Whether clips without labels join, for which a model may have a recipe of its own.
        started: Whether training begins with another model's weights, for which it may have one, too.
        name: Another recipe than the one of the model's paper, such as `BEST`.

    Raises:
        TrainingError: If the model has no recipe of that name for such data.
    """
    stem, own = model.__module__.rpartition(".")[2], model.__module__.startswith("imlcmm.")
    wanted = [name] if name else ["started"] * started + ["unlabelled"] * unlabelled + [""]
    for each in wanted:
        file = FOLDER / kind / f"{stem}{each and '-'}{each}.yaml"
        if own and file.is_file():
            return _parse(file.read_text(encoding="utf-8"), str(file))
    if name:
        raise TrainingError(
            f"there is no recipe '{name}' of {model.__name__} for {kind}; give auto, none or a file that exists"
        )
    return Recipe(call_name(model))


def read_recipe(path: Path) -> Recipe:
    """Read a recipe file.

    Raises:
        TrainingError: If it is missing or not a recipe.
    """
    try:
        return _parse(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeError) as error:
        raise TrainingError(f"{path} cannot be read; give a recipe that `imlcmm tune` wrote, auto or none") from error


def build_model(model: type[SentimentModel], spec: DataSpec, options: Mapping[str, Any]) -> SentimentModel:
    """Build a model; options of a nested value object replace some of its default's.

    Raises:
        ModelError: If the model has no such option, or cannot be built with it.
    """
    defaults = {name: p.default for name, p in signature(model).parameters.items()}
    unknown = set(options) - set(defaults)
    if unknown:
        raise ModelError(f"{model.__name__} has no option '{unknown.pop()}'; see imlcmm models {model.__name__}")
    try:
        nested = {
            name: replace(defaults[name], **dict(value))
            for name, value in options.items()
            if is_dataclass(defaults[name]) and not is_dataclass(value)
        }
        return model(spec, **{**options, **nested})
    except (ValueError, RuntimeError, TypeError) as error:
        if isinstance(error, ImlcmmError):
            raise
        raise ModelError(f"{model.__name__} cannot be built: {reason_of(error)}; check --model.*") from error


def optimization_of(recipe: Recipe, **others: Any) -> Optimization:
    """Give a recipe's optimisation, some of its options replaced.

    Raises:
        TrainingError: If there is no such option, or a value makes no sense.
    """
    options = {**recipe.optimization, **others}
    try:
        check_type(options, Optimization)
    except ValueError as error:
        raise TrainingError(f"the optimization of a recipe for {recipe.model} {error}; mend the recipe") from error
    return Optimization(**options)


def _parse(text: str, name: str) -> Recipe:
    try:
        content = read_yaml(text)
        check_type(content, Recipe)
        return Recipe(**content)
    except (ValueError, TypeError) as error:
        raise TrainingError(f"{name} is not a recipe: it {error}; it needs model, options and optimization") from error
