"""Reading what a stranger may have written: regular files of a bounded size inside their folder, and expected types.

All functions raise a ValueError whose text goes on after the file's name, such as "is larger than 64 MB".
"""

import json
import math
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

import yaml

LARGEST = 64 << 20
"""Bytes of a document; the names of a million clips take less."""

_LARGEST_SETTINGS = 1 << 20
_MOST_NODES = 100_000
_SHOWN = 60


def inside(folder: Path, name: str) -> Path:
    """Give the file or folder that a document, or the format, names within a folder.

    A link may lead to another place in the folder, or from a snapshot of the Hugging Face cache to the cache's blobs.

    Raises:
        ValueError: If the name leads elsewhere, or to a device or a pipe.
    """
    path, home = folder / name, folder.resolve()
    target = path.resolve()
    snapshots = (place.parent for place in (home, *home.parents) if place.parent.name == "snapshots")
    homes = [home, *(place.with_name("blobs") for place in snapshots)]
    if not any(target.is_relative_to(each) for each in homes):
        raise ValueError(f"leads out of its folder, to {shown(str(target))}")
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("is neither a file nor a folder")
    return path


def read_json(path: Path, kind: Any = dict[str, Any], *, largest: int = LARGEST) -> Any:
    """Read a JSON document and check its types.

    Args:
        path: The file.
        kind: What it holds, as a type annotation.
        largest: Bytes it may have.

    Raises:
        OSError: If it cannot be read.
        ValueError: If it is too large, no JSON, or holds something else.
    """
    try:
        text = _text(path, largest)
    except ValueError as error:
        raise ValueError(f"is no intact JSON ({_brief(error)})") from error
    return parse_json(text, kind)


def parse_json(text: str | bytes, kind: Any = dict[str, Any]) -> Any:
    """Parse JSON and check its types.

    Raises:
        ValueError: If it is none, or holds something else.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is no intact JSON ({_brief(error)})") from error
    check_type(content, kind)
    return content


def read_yaml(text: str) -> Any:
    """Read YAML of plain values; aliases must not unfold to more than a hundred thousand values.

    Raises:
        ValueError: If it is too large, no YAML, or asks for an object.
    """
    if len(text) > _LARGEST_SETTINGS:
        raise ValueError(f"is larger than {_LARGEST_SETTINGS >> 20} MB")
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ValueError(f"is no plain YAML ({_brief(error)})") from error
    for count, _ in enumerate(_unfolded(content)):
        if count > _MOST_NODES:
            raise ValueError(f"unfolds to more than {_MOST_NODES:,} values")
    return content


def check_type(value: Any, kind: Any, where: str = "") -> None:
    """Check a plain value against an annotation; numbers must be finite, and mappings may stand for dataclasses.

    A `TypedDict` may have more keys than it names, a dataclass must not.

    Raises:
        ValueError: Naming the place and the value.
    """
    if not _fits(value, kind, where):
        wanted = kind.__name__ if isinstance(kind, type) else str(kind).replace("typing.", "")
        raise ValueError(f"holds {shown(value)}{f' for {where}' if where else ''} instead of {wanted}")


def shown(value: Any) -> str:
    """Write a value on one short line, whatever it holds."""
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _text(path: Path, largest: int) -> str:
    if not path.is_file():
        raise FileNotFoundError(2, "No such file", str(path))
    with path.open("rb") as file:
        content = file.read(largest + 1)
    if len(content) > largest:
        raise ValueError(f"larger than {largest >> 20} MB")
    return content.decode()


def _brief(error: BaseException) -> str:
    return " ".join(str(error).split())[:120] or type(error).__name__


def _unfolded(content: Any) -> Iterator[Any]:
    """Go through all values, those behind aliases each time they occur."""
    waiting = [iter([content])]
    while waiting:
        for value in waiting[-1]:
            yield value
            if isinstance(value, dict | list):
                waiting.append(iter([*value, *value.values()] if isinstance(value, dict) else value))
                break
        else:
            waiting.pop()


def _fits(value: Any, kind: Any, where: str) -> bool:
    """Tell whether a value is of a kind; what is inside it raises by itself, naming its place."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return any(_is_a(value, each, where) for each in inner)
    if origin is Literal:
        return value in inner
    if is_typeddict(kind) or (is_dataclass(kind) and isinstance(value, Mapping)):
        return isinstance(value, Mapping) and _fields_fit(value, kind, where)
    if isinstance(origin, type) and issubclass(origin, Mapping | Sequence):
        return _parts_fit(value, issubclass(origin, Mapping), inner, where)
    return kind is Any or _is_plain(value, kind)


def _parts_fit(value: Any, is_mapping: bool, inner: tuple[Any, ...], where: str) -> bool:
    """Check what a mapping by text, a list or a tuple holds."""
    if is_mapping:
        return isinstance(value, Mapping) and all(
            isinstance(key, str) and _checked(each, inner[1], _place(where, key)) for key, each in value.items()
        )
    if inner[0] is str and isinstance(value, list) and all(type(each) is str for each in value):
        return True  # names by the million, without a place for each
    return isinstance(value, list | tuple) and all(
        _checked(each, inner[0], _place(where, str(i))) for i, each in enumerate(value)
    )


def _is_plain(value: Any, kind: Any) -> bool:
    """Tell whether a value is a number, text, truth or nothing, as its kind says."""
    if kind is float:
        return type(value) in (int, float) and math.isfinite(value)
    if kind is int:
        return type(value) is int
    return value is None if kind in (None, types.NoneType) else isinstance(value, kind)


def _fields_fit(value: Mapping[str, Any], kind: Any, where: str) -> bool:
    """Check the entries of a mapping that stands for a dataclass or is a `TypedDict`."""
    hints = get_type_hints(kind)
    if is_dataclass(kind):
        unknown = [key for key in value if key not in hints]
        needed = [f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING]
    else:
        unknown, needed = [], list(kind.__required_keys__)
    if unknown:
        raise ValueError(f"has {shown(_place(where, str(unknown[0])))}, which nobody knows here")
    for name in needed:
        if name not in value:
            raise ValueError(f"lacks '{_place(where, name)}'")
    return all(_checked(value[name], hint, _place(where, name)) for name, hint in hints.items() if name in value)


def _checked(value: Any, kind: Any, where: str) -> bool:
    check_type(value, kind, where)
    return True


def _is_a(value: Any, kind: Any, where: str) -> bool:
    """Tell whether a value is one of several kinds, without raising."""
    try:
        return _fits(value, kind, where)
    except ValueError:
        return False


def _place(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key
