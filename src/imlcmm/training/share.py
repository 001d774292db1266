"""Runs as others get them: what is needed to use, judge and repeat them, and nothing of the machine they come from."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from imlcmm import calibration
from imlcmm.errors import TrainingError, reason_of
from imlcmm.files import write_json, write_text
from imlcmm.models import find_model
from imlcmm.models.base import CLASS_FILE, CONFIG_FILE, WEIGHTS_FILE
from imlcmm.models.card import call_name
from imlcmm.training import model_card
from imlcmm.training.recipe import Recipe
from imlcmm.training.run_files import DESCRIPTION, HISTORY, METRICS, TIMING, read_document
from imlcmm.untrusted import inside

_OF_SEED = (METRICS, TIMING, HISTORY)
_OF_MODEL = (CLASS_FILE, CONFIG_FILE, WEIGHTS_FILE, calibration.FILE, model_card.FILE)
_RECIPE, _TEST = "recipe.yaml", "evaluation-test/evaluation"


def write_shared(
    folder: Path, description: Mapping[str, Any], seeds: Sequence[Path], out: Path, name: str | None = None
) -> None:
    """Write a run for others: every seed's model, scores and history, a card, and a recipe to train it again.

    Args:
        folder: Folder of the run.
        description: What it says of itself; of the data's path only the name is told.
        seeds: Folders of its seeds.
        out: Folder to write, which must not hold anything yet.
        name: What its card calls it; without it, the folder's name.

    Raises:
        TrainingError: If there is something in it, or the run lacks a file.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TrainingError(f"{out} holds something already; choose another folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as beside:
        shared = Path(beside) / out.name
        for seed in seeds:
            _copy(folder, seed.name, _OF_SEED, shared)
            _copy(folder, f"{seed.name}/best", _OF_MODEL, shared)
        _copy(folder, ".", (METRICS, f"{_TEST}.json"), shared)
        write_json(shared / DESCRIPTION, _without_places(description))
        _recipe(description).write(shared / _RECIPE)
        write_text(shared / model_card.FILE, _card(folder, seeds, name or out.name))
        if out.exists():
            out.rmdir()
        shared.rename(out)


def push(folder: Path, name: str, *, private: bool, token: str | None) -> str:
    """Upload a folder that `write_shared` wrote to the Hugging Face hub, and give its address.

    Raises:
        TrainingError: If the hub cannot be reached, or refuses.
    """
    from huggingface_hub import HfApi

    hub = HfApi(token=token)
    try:
        address = hub.create_repo(name, private=private, exist_ok=True)
        hub.upload_folder(repo_id=name, folder_path=folder, commit_message="A run of imlcmm")
    except Exception as error:  # those of the hub's versions have no class in common
        raise TrainingError(
            f"{name} cannot be pushed to the hub ({reason_of(error)}); is there a network, and did you log in with "
            "`hf auth login`?"
        ) from error
    return str(address)


def _copy(folder: Path, place: str, names: Sequence[str], out: Path) -> None:
    """Copy those of some files that are there."""
    for name in names:
        try:
            source = inside(folder, f"{place}/{name}")
        except ValueError as error:
            raise TrainingError(f"{folder / place / name} {error}; copy the run anew") from error
        if source.is_file():
            target = out / place / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)


def _without_places(description: Mapping[str, Any]) -> dict[str, Any]:
    data = description["data"]
    return {**description, "data": {**data, "path": Path(data["path"]).name}}


def _recipe(description: Mapping[str, Any]) -> Recipe:
    """Give the hyper-parameters of the run; a text encoder inside the model must be named anew."""
    options = {
        name: value
        for name, value in description["model"]["options"].items()
        if name != "text_encoder" or isinstance(value, str)
    }
    used = description["data"]
    source = f"a run on {Path(used['path']).name}, checksum {used['checksum'][:12]}"
    return Recipe(
        call_name(find_model(description["model"]["class"])), source, options, dict(description["optimization"])
    )


def _card(folder: Path, seeds: Sequence[Path], name: str) -> str:
    """Give the first seed's card, and what the run adds: all seeds' scores, the test split's, and how to use it."""
    card = seeds[0] / "best" / model_card.FILE
    parts = [card.read_text(encoding="utf-8").rstrip()] if card.is_file() else [f"# {name}"]
    scores = read_document(folder, METRICS, dict[str, dict[str, Any]])
    rows = [
        f"| {title} | {scores['mean'][score]:.3f} ± {scores['std'][score]:.3f} |"
        for title, score in (("MAE", "valid_mae"), ("Corr", "valid_corr"))
        if isinstance(scores["mean"].get(score), float)
    ]
    head = [f"## {len(seeds)} seeds on validation, mean ± deviation", "", "| score | value |", "|---|---|"]
    parts.append("\n".join([*head, *rows]))
    test = folder / f"{_TEST}.md"
    if test.is_file():
        parts.append(f"## On the test split\n\n{test.read_text(encoding='utf-8').rstrip()}")
    parts.append(
        f"## Use\n\nWith imlcmm, where {name} is this folder or its id on the hub:\n\n```sh\n"
        f"imlcmm predict clip.mp4 --model {name}\nimlcmm evaluate {name} --data DATA --out scores\n"
        f"imlcmm train --data DATA --recipe {name}/{_RECIPE}\n```"
    )
    return "\n\n".join(parts) + "\n"
