"""Beginning with the weights of a trained model, so that few clips have less to teach (transfer learning)."""

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from imlcmm.errors import TrainingError
from imlcmm.models.base import SentimentModel
from imlcmm.types import MODALITIES


@torch.no_grad()
def start_from(model: SentimentModel, trained: SentimentModel) -> tuple[int, int]:
    """Take the weights, and the features' scale, of a trained model of the same class, wherever both agree in shape.

    What belongs to a modality is taken only if the trained model has learnt that modality, of the same features. Of the
    positions of frames those are taken that both have.

    Args:
        model: The model that is to be trained; it is changed in place.
        trained: Where the weights come from.

    Returns:
        How many weights were taken, and how many there are.

    Raises:
        TrainingError: If it is a model of another class, or nothing of it can be taken.
    """
    if type(model) is not type(trained):
        raise TrainingError(
            f"the model to start from is of class {type(trained).__name__}; train {type(trained).__name__}, not "
            f"{type(model).__name__}, or start from none"
        )
    learnt = trained.spec
    apart = {m for m in MODALITIES if not (learnt.steps[m] and model.spec.reads_alike(learnt, m))}
    mine, taken = model.state_dict(), 0
    for name, weight in trained.state_dict().items():
        if name in mine and apart.isdisjoint(name.split(".")):
            taken += _take(mine[name], weight, rows=name.endswith("frame_positions"))
    if not taken:
        raise TrainingError("the model to start from has nothing in common with this one; start from none")
    return taken, len(mine)


def _take(mine: Tensor, weight: Tensor, *, rows: bool) -> bool:
    """Copy a weight, or the first rows of one that has more or fewer, and tell whether it fitted."""
    if rows and mine.shape[1:] == weight.shape[1:]:
        both = min(len(mine), len(weight))
        mine[:both] = weight[:both]
        return True
    if mine.shape != weight.shape:
        return False
    mine.copy_(weight)
    return True


def chosen_options(trained: SentimentModel) -> dict[str, Any]:
    """Give the options of a trained model that are not the constructor's defaults."""
    defaults = {name: parameter.default for name, parameter in signature(type(trained)).parameters.items()}
    configured: Mapping[str, Any] = trained._hub_mixin_config or {}  # type: ignore[assignment]
    return {name: value for name, value in configured.items() if name != "spec" and value != defaults[name]}
