"""Loading a checkpoint folder, which tells its model; what it says is checked before any of it is believed."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

from imlcmm.errors import ModelError
from imlcmm.models import admit_models, find_model
from imlcmm.models.base import CLASS_FILE, CONFIG_FILE, WEIGHTS_FILE, SentimentModel
from imlcmm.models.options import check_options
from imlcmm.untrusted import inside, read_json

_Named = TypedDict("_Named", {"class": str})


def load_checkpoint(folder: Path, *, own_models: Sequence[str] = ()) -> SentimentModel:
    """Load a model from the folder that `save_pretrained` wrote, in evaluation mode.

    Args:
        folder: The checkpoint.
        own_models: Modules of the caller's whose models the checkpoint may name, besides the registered ones. Their
            code runs, so never take them from a file.

    Raises:
        ModelError: If it is no such folder, is damaged, or names a class that is neither registered nor the caller's.
    """
    for module in own_models:
        admit_models(module)
    file = folder / CLASS_FILE
    try:
        found = read_json(inside(folder, CLASS_FILE), _Named)
        for file in (folder / WEIGHTS_FILE, folder / CONFIG_FILE):
            inside(folder, file.name).stat()
        config = read_json(file)
    except OSError as error:
        raise ModelError(f"{folder} is no checkpoint: {file.name} is missing or cannot be read") from error
    except ValueError as error:
        raise ModelError(f"{file} {error}; copy the checkpoint again, or train again") from error
    model = find_model(found["class"])
    try:
        check_options(model, config)
    except ValueError as error:
        raise ModelError(f"{folder / CONFIG_FILE} {error}; copy the checkpoint again, or train again") from error
    return model.from_pretrained(str(folder)).eval()
