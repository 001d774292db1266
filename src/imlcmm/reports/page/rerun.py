"""The commands that make a run again."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import asdict, is_dataclass
from inspect import signature
from typing import Any

from imlcmm.models import find_model
from imlcmm.models.card import call_name
from imlcmm.training.fit import TrainerOptions
from imlcmm.training.module import Optimization
from imlcmm.training.run import Run


def training_commands(run: Run) -> list[str]:
    """Write the commands that train all finished seeds of a run again, one for each row of consecutive seeds.

    What `run.json` does not know stands in capitals: the path of unlabelled clips and of a text encoder.
    """
    data = run.description["data"]
    words = ["imlcmm", "train", "--data", data["path"], "--model", model_name(run), "--recipe", "none"]
    words += [f"--model.{name}={_word(value)}" for name, value in _changed_options(run)]
    words += [f"--optimization.{name}={_word(value)}" for name, value in changed_optimization(run).items()]
    words += [
        f"--trainer.{name}={value}" for name, value in _changed(run.description.get("trainer", {}), TrainerOptions())
    ]
    if data.get("label_share", 1) < 1:
        words.append(f"--label_share={data['label_share']}")
    if data["unlabelled_clips"]:
        words += ["--unlabelled", "UNLABELLED"]
    words += ["--folder", str(run.folder)]
    commands = []
    for first, count in _rows(sorted(int(seed.name.removeprefix("seed-")) for seed in run.seeds)):
        commands.append(shlex.join([*words, "--seeds", str(count), f"--optimization.seed={first}"]))
    return commands


def model_name(run: Run) -> str:
    """Give the name by which `imlcmm train` finds the model."""
    return call_name(find_model(run.description["model"]["class"]))


def changed_options(run: Run) -> dict[str, str]:
    """Give the model's options that differ from its constructor's defaults."""
    return {name: _word(value) for name, value in _changed_options(run)}


def changed_optimization(run: Run) -> dict[str, Any]:
    """Give what differs from the defaults of `Optimization`, the seed apart."""
    return dict(_changed(run.description["optimization"], Optimization()))


def _changed(given: Mapping[str, Any], defaults: Any) -> Iterator[tuple[str, Any]]:
    """Walk through the values that differ from those of a dataclass."""
    usual = asdict(defaults)
    return ((name, value) for name, value in given.items() if value != usual.get(name))


def _changed_options(run: Run) -> Iterator[tuple[str, Any]]:
    """Walk through the options that differ; those of a nested value object by their path."""
    parameters = signature(find_model(run.description["model"]["class"])).parameters
    for name, value in run.description["model"]["options"].items():
        usual = parameters[name].default if name in parameters else None
        usual = asdict(usual) if is_dataclass(usual) and not isinstance(usual, type) else usual
        if name == "text_encoder" and isinstance(value, Mapping):
            yield name, "TEXT_ENCODER"
        elif isinstance(value, Mapping) and isinstance(usual, Mapping):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items() if inner != usual.get(key))
        elif value != (list(usual) if isinstance(usual, tuple) else usual):
            yield name, value


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _rows(seeds: list[int]) -> list[tuple[int, int]]:
    """Find the rows of consecutive numbers: first number and length of each."""
    rows: list[tuple[int, int]] = []
    for seed in seeds:
        if rows and seed == sum(rows[-1]):
            rows[-1] = (rows[-1][0], rows[-1][1] + 1)
        else:
            rows.append((seed, 1))
    return rows
