"""What a folder tells of the store that it was made of, so that the way back is exact."""

import re
from pathlib import Path
from typing import Any, Literal, NotRequired, TypedDict

from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.interchange.names import Form, checked
from imlcmm.datasets.stores.manifest import SPLITS, Names, Numbers, rules_of
from imlcmm.errors import DataError
from imlcmm.types import ABSENT, MODALITIES
from imlcmm.untrusted import inside, read_json, shown

FACTS = "imlcmm.json"
FORMAT = 1
_WIDEST = 1_000_000
_FILE = re.compile(rf"(data/)?({'|'.join(SPLITS)})-\d{{5,6}}(-of-\d{{5}}\.parquet|\.tar)")


class _FeatureSet(TypedDict):
    columns: list[str]


class _Notes(TypedDict):
    extractors: NotRequired[dict[str, _FeatureSet]]


class _Split(TypedDict):
    clips: int
    files: list[str]
    filled: NotRequired[Numbers]


class _Facts(TypedDict):
    """What the file must hold; it may hold more."""

    form: Literal["parquet", "webdataset"]
    kind: str
    rules: NotRequired[dict[str, Any]]
    widths: Numbers
    features: Names
    dtype: Literal["float32", "float16"]
    simulated: bool
    notes: _Notes
    left_out: NotRequired[dict[str, list[int]]]
    splits: dict[str, _Split]


class Facts:
    """The facts of a folder, checked.

    Attributes:
        form: What the files are.
        rules: The kind's rules.
        content: Everything that the file holds.
    """

    def __init__(self, folder: Path) -> None:
        """Read them.

        Raises:
            DataError: If they are damaged, or belong to another version.
        """
        path = folder / FACTS
        try:
            version = read_json(inside(folder, FACTS)).get("format")
            if version != FORMAT:
                raise ValueError(f"has format {shown(version)}, and this version reads {FORMAT}")
            content: dict[str, Any] = read_json(path, _Facts)
            _check(content)
        except (OSError, ValueError) as error:
            raise DataError(f"{path} is damaged: it {error}; remove it and give --kind, or copy it anew") from error
        self.form: Form = content["form"]
        self.rules: Kind = rules_of(content, str(path))
        self.content = content

    def files(self, folder: Path) -> dict[str, list[Path]]:
        """Give the files of each split, all of which are there."""
        return {split: [checked(folder, name) for name in entry["files"]] for split, entry in self._splits()}

    @property
    def clips(self) -> dict[str, int]:
        """Count the clips of each split."""
        return {split: entry["clips"] for split, entry in self._splits()}

    @property
    def counted(self) -> dict[str, Any]:
        """Give what the store counted, and its repaired values show no more."""
        filled = {split: entry["filled"] for split, entry in self._splits() if "filled" in entry}
        return {"left_out": self.content.get("left_out", {}), "filled": filled}

    def _splits(self) -> list[tuple[str, Any]]:
        return list(self.content["splits"].items())


def _check(content: dict[str, Any]) -> None:
    """Check what types alone do not tell."""
    for m in MODALITIES:
        width, names = content["widths"][m], content["notes"].get("extractors", {}).get(m)
        if not 0 <= width <= _WIDEST or (content["features"][m] == ABSENT and width != 1):
            raise ValueError(f"tells a width of {width} for {m}")
        if any(not 0 <= n < width for n in content.get("left_out", {}).get(m, [])):
            raise ValueError(f"leaves out columns of {m} that there are not")
        if names is not None and len(names["columns"]) != width:
            raise ValueError(f"names {len(names['columns'])} columns of {m}, which has {width}")
    extra = {*content.get("left_out", {}), *content["notes"].get("extractors", {})} - {*MODALITIES}
    if extra:
        raise ValueError(f"speaks of {shown(sorted(extra)[0])}, which is no modality")
    for split, entry in content["splits"].items():
        if split not in SPLITS:
            raise ValueError(f"has a split {shown(split)}")
        for name in entry["files"]:
            if not _FILE.fullmatch(name) or _FILE.fullmatch(name)[2] != split:  # type: ignore[index]
                raise ValueError(f"names {shown(name)}, which is no file of split {split}")
