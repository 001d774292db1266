"""The lists of models: those that can be trained, and those that are."""

from pathlib import Path

from imlcmm.errors import ImlcmmError
from imlcmm.model_ideas import model_ideas


def model_list() -> str:
    """List the registered models in the order of the registry, a line each: name and idea."""
    ideas = model_ideas()
    width = max(map(len, ideas))
    return "\n".join(f"{name.ljust(width)}  {idea}" for name, idea in ideas.items())


def trained_models() -> str:
    """List the trained models in packages and in the hub's cache: name, model, data, features, and where it lies."""
    from imlcmm.markdown import markdown_table
    from imlcmm.pretrained import cached_models, installed_models

    rows = [[name, *_told(folder), str(folder)] for name, folder in (installed_models() | cached_models()).items()]
    return markdown_table([["name for --model", "model", "labels", "features", "folder"], *rows])


def _told(folder: Path) -> list[str]:
    """Tell of a model what its files say, without building it."""
    from imlcmm.models.base import CLASS_FILE, CONFIG_FILE
    from imlcmm.prediction.predictor import find_checkpoint
    from imlcmm.types import DataSpec
    from imlcmm.untrusted import check_type, inside, read_json

    try:
        checkpoint = find_checkpoint(folder)
        model = read_json(inside(checkpoint, CLASS_FILE), dict[str, str])["class"].rpartition(".")[2]
        config = read_json(inside(checkpoint, CONFIG_FILE))
        check_type(config.get("spec"), DataSpec, "spec")
        spec = DataSpec(**config["spec"])
    except (ImlcmmError, OSError, ValueError, LookupError) as error:
        return ["damaged", "", " ".join(str(error).split())[:80]]
    return [model, f"{spec.low:g} to {spec.high:g}", ", ".join(spec.features[m] for m in spec.present)]
