"""Finding trained models that others made: by folder, by the name of an installed one, or by their id on a hub."""

import re
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from imlcmm.errors import ModelError, reason_of
from imlcmm.features.packaged import find_packaged

GROUP = "imlcmm.models"
"""Entry points by which packages tell of models in them: a name, and the folder written as a module's path."""

_ID = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w.-]+))?", re.ASCII)
_FILES = ("*.json", "*.csv", "*.md", "*.yaml", "*.safetensors")
_MARKS = ("run.json", "model.json")


def find_pretrained(name: Path | str) -> Path:
    """Find the folder of a run or checkpoint, or an ONNX file.

    Args:
        name: A path; the name of an installed model; or OWNER/NAME on the Hugging Face hub, OWNER/NAME@REVISION for one
            state of it, which is fetched once and then lies in the hub's cache. No OWNER is asked for on the hub who
            is a folder here.

    Raises:
        ModelError: If the hub does not give it.
    """
    path, text = Path(name), str(name)
    if path.exists():
        return path
    if installed := installed_models().get(text):
        return installed
    wanted = _on_hub(path)
    return _fetched(*wanted) if wanted else path


def lies_elsewhere(name: Path | str) -> bool:
    """Tell whether a name is that of a model in a package or on the hub, not of a place here."""
    return not Path(name).exists() and (str(name) in installed_models() or _on_hub(Path(name)) is not None)


def installed_models() -> dict[str, Path]:
    """Give the folders of the models that lie in installed packages, by name; nothing of the packages is imported."""
    found = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if folder := find_packaged(*point.module.split(".")):
            found[point.name] = folder
    return found


def cached_models() -> dict[str, Path]:
    """Give the folders of the models in the hub's cache, by OWNER/NAME."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repositories = scan_cache_dir().repos
    except CacheNotFound:
        return {}
    newest = {
        each.repo_id: max(each.revisions, key=lambda revision: revision.last_modified).snapshot_path
        for each in repositories
        if each.repo_type == "model" and each.revisions
    }
    return {name: path for name, path in sorted(newest.items()) if any((path / mark).is_file() for mark in _MARKS)}


def _on_hub(path: Path) -> tuple[str, str | None] | None:
    """Read a path that is not there as a name on the hub, and a revision; None where its OWNER is a folder."""
    wanted = _ID.fullmatch(str(path))
    return (wanted[1], wanted[2]) if wanted and not Path(path.parts[0]).exists() else None


@cache
def _fetched(name: str, revision: str | None) -> Path:
    """Fetch a model from the hub, or find it in the hub's cache; one state of it for as long as the process runs."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_FILES)))
    except RepositoryNotFoundError as error:
        raise ModelError(f"{name} is no folder, no installed model, and none on the hub that you may read") from error
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{name} is no folder and no installed model, and the hub cannot be reached; connect, or copy the "
            "model's folder here and give its path"
        ) from error
    except Exception as error:  # those of the hub's versions have no class in common
        raise ModelError(f"{name} cannot be fetched from the hub ({reason_of(error)})") from error
