"""The names of splits and keys as files spell them, and what they mean here."""

import logging
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from imlcmm.errors import DataError

logger = logging.getLogger(__name__)

NAMED_SPLITS = ("train", "valid", "test", "unlabelled")
MIXED = "train_mix"
_MEANINGS: Mapping[str, str] = MappingProxyType(
    {name: name for name in (*NAMED_SPLITS, MIXED)}
    | {"training": "train", "testing": "test", "unlabeled": "unlabelled"}
    | dict.fromkeys(("val", "validate", "validation", "dev", "devel", "development"), "valid")
)


def meant_split(name: str) -> str | None:
    """Tell which split a name stands for, if any."""
    return _MEANINGS.get(name.strip().casefold().replace("-", "_"))


def meant_splits(entries: dict[Any, Any], path: Path) -> dict[str, tuple[str, Any]]:
    """Find which split each name stands for, `dev` for valid for example; what was taken for what is logged.

    Returns:
        For each split the name that it has in the file, and what is under it.

    Raises:
        DataError: If a name is unknown, two stand for the same split or there is none.
    """
    result: dict[str, tuple[str, Any]] = {}
    for name, value in entries.items():
        meaning = meant_split(name) if isinstance(name, str) else None
        if meaning is None:
            raise _unknown(f"a split '{str(name)[:40]}'", path)
        if meaning in result:
            raise DataError(
                f"{path}: the splits '{result[meaning][0]}' and '{name}' both mean {meaning}; rename or remove one"
            )
        if meaning != name:
            logger.warning("%s: the split '%s' is taken for %s", path, name, meaning)
        result[meaning] = (name, value)
    if not result:
        raise _unknown("no split", path)
    return result


def _unknown(wrong: str, path: Path) -> DataError:
    return DataError(f"{path} has {wrong}; the splits must be named {', '.join((*NAMED_SPLITS, MIXED))}")
