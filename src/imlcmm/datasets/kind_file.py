"""Kinds of one's own: the rules of a data set in a small YAML file, or in a store's manifest, checked key by key."""

import math
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from reprlib import repr as shortened
from typing import Any

from imlcmm.datasets.catalog import KINDS, Kind
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES
from imlcmm.untrusted import read_yaml

KEYS = (
    "name", "title", "low", "high", "class_edges", "class_centres", "neutral", "label", "unimodal", "metrics",
    "recipes",
)  # fmt: skip
ALWAYS = ("MAE", "Corr", "R2")
_LARGEST, _MOST_CLASSES, _FIVE = 16_384, 20, 5
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def find_kind(name: str | Path | Kind) -> Kind:
    """Find the rules of a data set by its short name, or in a YAML file.

    Raises:
        DataError: If no data set has that name, or the file is not well formed.
    """
    if isinstance(name, Kind):
        return name
    if str(name).endswith((".yaml", ".yml")):
        return read_kind(Path(name))
    if name not in KINDS:
        raise DataError(f"there is no data set kind '{name}'; choose one of {', '.join(KINDS)}, or give a .yaml file")
    return KINDS[str(name)]


def read_kind(path: Path) -> Kind:
    """Read a kind from a YAML file.

    Raises:
        DataError: Naming the file and the key, if it cannot be read or is not well formed.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise DataError(f"{path} is larger than {_LARGEST} bytes; a kind has only the keys {', '.join(KEYS)}")
        content = read_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; give {', '.join(KINDS)} or a YAML file") from error
    except ValueError as error:
        raise DataError(f"{path} {error}; mend it") from error
    return parse_kind(content, str(path))


def parse_kind(content: Any, where: str) -> Kind:
    """Check what a file or a manifest tells of a kind, and fill in what it leaves out.

    Raises:
        DataError: Naming the place, the key and what is allowed.
    """
    if not isinstance(content, dict):
        raise DataError(
            f"{where}: a kind is a list of keys and values, such as 'low: 1'; the keys are {', '.join(KEYS)}"
        )
    unknown = [key for key in content if key not in KEYS]
    if unknown:
        raise DataError(f"{where}: there is no key {shortened(unknown[0])}; choose from {', '.join(KEYS)}")
    given = {key: value for key, value in content.items() if value is not None}
    name = _word(given, "name", where)
    if name in KINDS:
        raise DataError(f"{where}, key 'name': {name} is a kind of the field; choose another name")
    low, high = (_number(given, key, where) for key in ("low", "high"))
    if high - low < 0.01:
        raise DataError(f"{where}, key 'high': it is {high:g}, but must lie 0.01 or more above low, {low:g}")
    centres, edges = _classes(given, low, high, where)
    neutral = _number(given, "neutral", where) if "neutral" in given else (low + high) / 2
    if not low < neutral < high:
        raise DataError(f"{where}, key 'neutral': it is {neutral:g}, but must lie between {low:g} and {high:g}")
    recipes = given.get("recipes", "")
    if recipes not in ("", *KINDS):
        raise DataError(f"{where}, key 'recipes': it is {shortened(recipes)}, but must be one of {', '.join(KINDS)}")
    sources = _sources(given, where)
    available = metrics_of(len(centres))
    usual = available if "neutral" in given else [m for m in available if m not in ("Acc2", "F1") or len(centres) == 2]
    return Kind(
        name, _title(given, name, where), low, high, centres, edges, not sources or len(sources) > 1, None, neutral,
        sources, tuple(_metrics(given["metrics"], available, where) if "metrics" in given else usual), str(recipes),
    )  # fmt: skip


def describe_kind(kind: Kind) -> dict[str, Any]:
    """Write a kind as `parse_kind` reads it."""
    found: dict[str, Any] = {
        "name": kind.name, "title": kind.title, "low": kind.low, "high": kind.high,
        "class_edges": list(kind.class_edges), "class_centres": list(kind.class_centres), "neutral": kind.neutral,
        "metrics": list(kind.metrics),
    }  # fmt: skip
    if kind.sources:
        found |= {"label": kind.sources["multimodal"]}
        found |= {"unimodal": {m: kind.sources[m] for m in MODALITIES if m in kind.sources}}
    return found | ({"recipes": kind.recipes} if kind.recipes else {})


def metrics_of(classes: int) -> list[str]:
    """Name the metrics that there are for a number of classes; two classes take the place of the two sides."""
    sides = [] if classes == 2 else ["Acc2", "F1"]
    return [*sides, f"Acc{classes}", f"F1_{classes}", *ALWAYS]


def _word(given: Mapping[str, Any], key: str, where: str) -> str:
    value = given.get(key)
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise DataError(f"{where}, key '{key}': it is {shortened(value)}, but must be letters, digits, '-', '_', '.'")
    return value


def _title(given: Mapping[str, Any], name: str, where: str) -> str:
    value = given.get("title", name)
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= 100:
        raise DataError(f"{where}, key 'title': it is {shortened(value)}, but must be one line of at most 100 letters")
    return value


def _number(given: Mapping[str, Any], key: str, where: str) -> float:
    return _real(given.get(key), key, where)


def _real(value: Any, key: str, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e6:
        raise DataError(f"{where}, key '{key}': {shortened(value)} is no number from -1e6 to 1e6")
    return float(value)


def _classes(
    given: Mapping[str, Any], low: float, high: float, where: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Find centres and edges; without any, a class a whole number up to ten steps, else five of equal width."""
    edges, centres = (_ascending(given, key, low, high, where) for key in ("class_edges", "class_centres"))
    if edges is None and centres is None:
        if low == int(low) and high == int(high) and 2 <= high - low <= 10:
            centres = tuple(low + i for i in range(int(high - low) + 1))
        else:
            edges = tuple(low + (high - low) * i / _FIVE for i in range(1, _FIVE))
    if edges is None and centres is not None:
        edges = tuple((a + b) / 2 for a, b in pairwise(centres))
    ends = (low, *(edges or ()), high)
    if centres is None:
        centres = tuple((a + b) / 2 for a, b in pairwise(ends))
    if len(centres) != len(ends) - 1 or any(not a <= c <= b for a, c, b in zip(ends, centres, ends[1:], strict=False)):
        raise DataError(
            f"{where}, key 'class_centres': each of the {len(ends) - 1} classes between the edges needs one"
        )
    return centres, ends[1:-1]


def _ascending(given: Mapping[str, Any], key: str, low: float, high: float, where: str) -> tuple[float, ...] | None:
    if key not in given:
        return None
    value, inside = given[key], key == "class_edges"
    if not isinstance(value, list) or not 2 - inside <= len(value) <= _MOST_CLASSES - inside:
        raise DataError(f"{where}, key '{key}': it must be a list of {2 - inside} to {_MOST_CLASSES - inside} numbers")
    numbers = tuple(_real(each, key, where) for each in value)
    rises = all(a < b for a, b in pairwise(numbers))
    within = low < numbers[0] and numbers[-1] < high if inside else low <= numbers[0] and numbers[-1] <= high
    if not rises or not within or not all(map(math.isfinite, numbers)):
        raise DataError(f"{where}, key '{key}': the numbers must rise and lie between {low:g} and {high:g}")
    return numbers


def _sources(given: Mapping[str, Any], where: str) -> dict[str, str]:
    """Find under which keys or columns the labels lie; empty for the field's own."""
    unimodal = given.get("unimodal", {})
    if not isinstance(unimodal, dict) or any(m not in MODALITIES for m in unimodal):
        raise DataError(f"{where}, key 'unimodal': it must name the labels of {', '.join(MODALITIES)}, or of some")
    if unimodal and "label" not in given:
        raise DataError(f"{where}, key 'label': it is missing, and needed beside 'unimodal'")
    found = {"multimodal": given["label"], **unimodal} if "label" in given else {}
    for name in found.values():
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 100:
            raise DataError(f"{where}, key 'label' or 'unimodal': {shortened(name)} is no name of a key or column")
    return found


def _metrics(value: Any, available: list[str], where: str) -> list[str]:
    """Keep the order of the tables; errors and correlations are always among them."""
    if not isinstance(value, list) or any(each not in available for each in value):
        raise DataError(f"{where}, key 'metrics': {shortened(value)} is no list of names from {', '.join(available)}")
    return [m for m in available if m in value or m in ALWAYS]
