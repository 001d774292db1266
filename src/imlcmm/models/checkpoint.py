"""Loading a checkpoint folder, which tells its model."""

import json
from contextlib import redirect_stdout
from pathlib import Path

from imlcmm.errors import ModelError
from imlcmm.models import find_model
from imlcmm.models.base import CLASS_FILE, SentimentModel


def load_checkpoint(folder: Path) -> SentimentModel:
    """Load a model from the folder that `save_pretrained` wrote, in evaluation mode.

    Raises:
        ModelError: If it is no such folder, or is damaged.
    """
    try:
        name = json.loads((folder / CLASS_FILE).read_text(encoding="utf-8"))["class"]
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(f"{folder} is no checkpoint: {CLASS_FILE} is missing or damaged") from error
    with redirect_stdout(None):  # the loader announces itself there
        model = find_model(name).from_pretrained(str(folder))
    model.eval()
    return model
