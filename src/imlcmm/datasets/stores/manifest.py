"""What a store tells of itself, read as a stranger's word: its form, its files and their sizes are checked first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from imlcmm.datasets.catalog import KINDS, Kind
from imlcmm.datasets.kind_file import parse_kind
from imlcmm.errors import DataError
from imlcmm.untrusted import inside, read_json, shown

FORMAT = 1
MANIFEST = "dataset.json"
SPLITS = ("train", "valid", "test", "unlabelled")


class Numbers(TypedDict):
    """A number for each modality."""

    text: int
    audio: int
    vision: int


class Names(TypedDict):
    """A name for each modality."""

    text: str
    audio: str
    vision: str


class _Split(TypedDict):
    clips: int
    frames: Numbers
    steps: Numbers
    non_finite: Numbers
    filled: NotRequired[Numbers]
    targets: list[str]
    bytes: dict[str, int]
    sha256: dict[str, str]


class _Manifest(TypedDict):
    """What a manifest must hold; it may hold more."""

    kind: str
    widths: Numbers
    features: Names
    simulated: bool
    splits: dict[str, _Split]
    rules: NotRequired[dict[str, Any]]
    left_out: NotRequired[dict[str, list[int]]]
    notes: NotRequired[dict[str, Any]]


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read the description of a store and check that its files have the sizes it tells.

    Raises:
        DataError: If the folder is no store, was written by another format version, names files that are not its own,
            or a file is cut short.
    """
    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        raise DataError(f"{folder} is no data set: it holds no {MANIFEST}; give a store or a .pkl file")
    try:
        version = read_json(inside(folder, MANIFEST)).get("format")
        if version != FORMAT:
            raise DataError(
                f"{folder} has store format {shown(version)}, this version reads {FORMAT}; convert the data again"
            )
        manifest: dict[str, Any] = read_json(path, _Manifest)
        sizes = list(_sizes(folder, manifest))
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is damaged: it {error}; convert the data set again") from error
    for file, size in sizes:
        found = file.stat().st_size if file.exists() else None
        if found != size:
            state = "is missing" if found is None else f"has {found} bytes instead of {size}"
            raise DataError(f"{file} {state}; convert the data set again or copy it anew")
    return manifest


def rules_of(manifest: dict[str, Any], where: str) -> Kind:
    """Give the rules of a store: those that it carries, or the catalogue's.

    Raises:
        DataError: If it carries none that are well formed, and the catalogue has none of its name.
    """
    name = manifest["kind"]
    if "rules" in manifest:
        rules = parse_kind(manifest["rules"], where)
        if rules.name == name:
            return rules
    elif name in KINDS:
        return KINDS[name]
    raise DataError(f"{where}: nothing tells the rules of its kind {shown(name)}; convert the data set again")


def _sizes(folder: Path, manifest: dict[str, Any]) -> Iterator[tuple[Path, int]]:
    """Give the two files of each split, and no others, with the sizes that the manifest tells."""
    if not manifest["splits"]:
        raise ValueError("has no split")
    for split, entry in manifest["splits"].items():
        names = {f"{split}.safetensors", f"{split}.json"}
        if split not in SPLITS or set(entry["bytes"]) != names or set(entry["sha256"]) != names:
            raise ValueError(f"has a split {shown(split)} or files that no data set has")
        for name, size in entry["bytes"].items():
            try:
                yield inside(folder, name), size
            except ValueError as error:
                raise ValueError(f"names {name}, which {error}") from error
