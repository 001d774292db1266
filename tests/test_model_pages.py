"""docs/models: each model has a page whose options, defaults and number of parameters are those of the code."""

import re
from dataclasses import is_dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from imlcmm.models import SentimentModel, list_models
from imlcmm.models.card import CH_SIMS_V2

FOLDER = Path(__file__).parents[1] / "docs" / "models"
MODELS = list_models()
INDEX = (FOLDER / "index.md").read_text(encoding="utf-8")


def page_of(model: type[SentimentModel]) -> str:
    return (FOLDER / f"{model.__module__.rpartition('.')[2]}.md").read_text(encoding="utf-8")


def options_of(model: type[SentimentModel]) -> dict[str, Any]:
    """Give the default of each flag, those of a nested value object by their own names."""
    found: dict[str, Any] = {}
    for name, parameter in signature(model).parameters.items():
        if is_dataclass(parameter.default):
            found |= {f"{name}.{key}": value for key, value in vars(parameter.default).items()}
        else:
            found[name] = parameter.default
    return found


def written(cell: str) -> Any:
    """Read a default as a page writes it; YAML takes 5e-5 for text."""
    value = yaml.safe_load(cell)
    if isinstance(value, str):
        return None if value == "none" else float(value) if re.fullmatch(r"\d+e-\d+", value) else value
    return value


@pytest.mark.parametrize("name", MODELS)
def test_options_have_the_defaults_of_the_code(name):
    options, page = options_of(MODELS[name]), page_of(MODELS[name])
    rows = re.findall(r"^\| (`--model\.[^|]*) \| ([^|]*) \|", page, flags=re.MULTILINE)
    assert rows
    for flags, defaults in rows:
        names = re.findall(r"`--model\.([\w.]+)`", flags)
        assert [written(cell) for cell in defaults.split(",")] == [options[flag] for flag in names], flags
    assert set(re.findall(r"--model\.([a-z]\w*(?:\.\w+)*)", page)) <= set(options)


@pytest.mark.parametrize("name", MODELS)
def test_the_number_of_parameters_is_that_of_ch_sims_v2(name):
    with torch.device("meta"):
        model = MODELS[name](CH_SIMS_V2)
    count = f"{sum(p.numel() for p in model.parameters()):,}"
    assert count in page_of(MODELS[name])
    assert f"| {count} |" in INDEX


@pytest.mark.parametrize("name", MODELS)
def test_the_index_says_what_a_model_learns_from(name):
    model = MODELS[name]
    stem = model.__module__.rpartition(".")[2]
    (row,) = [line for line in INDEX.splitlines() if line.startswith("|") and f"]({stem}.md)" in line]
    *_, unimodal, unlabelled = (cell.strip() for cell in row.strip("|").split("|"))
    assert (unimodal == "yes", unlabelled == "yes") == (model.learns_unimodal_labels, model.learns_unlabelled_clips)
