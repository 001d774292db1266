"""The field's layout of a feature file: which keys a split has, and what must agree with what.

A text that is known by its tokens alone (`text_bert` without `text`) gets features of width 0; models that encode the
tokens themselves can use it. Where lengths are missing, all-zero frames at the end of a clip are taken as padding.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.field.field_split import FieldSplit
from imlcmm.datasets.field.lazy import LazyArray
from imlcmm.datasets.field.sequences import Sequences, flat, sequences
from imlcmm.datasets.field.texts import identifiers as read_identifiers
from imlcmm.datasets.field.texts import text_keys, transcripts
from imlcmm.datasets.kind_file import parse_kind
from imlcmm.datasets.split_names import MIXED, meant_splits
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, TARGETS

logger = logging.getLogger(__name__)

LABEL_KEYS = {
    "multimodal": "regression_labels",
    "text": "regression_labels_T",
    "audio": "regression_labels_A",
    "vision": "regression_labels_V",
}
_COUNT_KEYS = ("id", "regression_labels", "labels", "audio", "vision", "text", "text_bert")


def field_splits(content: Any, path: Path, rules: Kind) -> dict[str, list[FieldSplit]]:
    """Find the splits of a field file and check what can be checked before the features are read.

    Splits without labels are gathered under `unlabelled`, and so are the rows of `train_mix` whose `mask` is 0 (its
    other rows repeat the train split). A single split or a single clip, which come without split names, are `test`
    where they have labels and `unlabelled` otherwise.

    Raises:
        DataError: Naming file, split and key.
    """
    if not isinstance(content, dict):
        raise DataError(f"{path} holds {type(content).__name__} instead of a dictionary of splits; check the file")
    entries = {name: value for name, value in text_keys(content, str(path)).items() if name != "config"}
    if any(isinstance(entries.get(m), list | LazyArray) for m in (*MODALITIES, "text_bert")):
        splits = [_split("", _batched(entries, path), path, str(path), rules)]
    else:
        found = meant_splits(entries, path).items()
        splits = [_split(name, value, path, f"{path}, split {own}", rules) for name, (own, value) in found]
    _check_widths(splits, path)
    splits = _numbered_apart(splits)
    return _sorted_out(splits, path)


def stored_facts(content: Any) -> dict[str, Any]:
    """Find what `export_pickle` wrote of a data set beside its splits: kind, feature names and whether it is simulated.

    The field's loaders ignore the key `config`, so nothing is expected there; what is not well formed is ignored.
    """
    config = content.get("config") if isinstance(content, dict) else None
    facts = config.get("imlcmm") if isinstance(config, dict) else None
    features = facts.get("features") if isinstance(facts, dict) else None
    if not isinstance(facts, dict) or not isinstance(facts.get("kind"), str) or not isinstance(features, dict):
        return {}
    names = {m: str(features.get(m, "unknown")) for m in MODALITIES}
    rules = parse_kind(facts["rules"], "the rules in the pickle") if "rules" in facts else facts["kind"]
    return {"kind": rules, "features": names, "simulated": facts.get("simulated") is True}


def _sorted_out(splits: list[FieldSplit], path: Path) -> dict[str, list[FieldSplit]]:
    """Put each split under the name that it has in a store."""
    result: dict[str, list[FieldSplit]] = {}
    some_labels = any(split.labels and split.name != MIXED for split in splits)
    for split in splits:
        if split.name in ("", MIXED):
            name = "test" if split.labels and split.name == "" else "unlabelled"
        elif split.name != "unlabelled" and not split.labels:
            if some_labels:
                raise DataError(f"{split.where}: 'regression_labels' is missing; only a split 'unlabelled' may lack it")
            logger.warning("%s: no labels, so its clips go to the split 'unlabelled'", split.where)
            name = "unlabelled"
        else:
            name = split.name
        result.setdefault(name, []).append(split)
    return result


def _numbered_apart(splits: list[FieldSplit]) -> list[FieldSplit]:
    """Put the split's name before ids that are bare numbers, if they start again in each split."""
    if not all(name.isdecimal() for split in splits for name in split.identifiers):
        return splits
    kept = [name for split in splits for name, keep in zip(split.identifiers, split.keep, strict=True) if keep]
    if len(kept) == len(set(kept)):
        return splits
    logger.warning("%s: the ids are numbers that start again, so the split's name is put before", splits[0].where)
    return [replace(split, identifiers=[f"{split.name}-{name}" for name in split.identifiers]) for split in splits]


def _batched(entries: dict[Any, Any], path: Path) -> dict[Any, Any]:
    """Give a file without split names as one split, adding the axis of clips that a single clip lacks."""
    given = next((entries[m] for m in ("audio", "vision", "text") if m in entries), None)
    if not isinstance(given, LazyArray) or len(given.shape) != 2:
        return entries
    lifted: dict[Any, Any] = {"id": [path.stem]}
    for key, value in entries.items():
        lifted[key] = value if key in ("id", "raw_text") and isinstance(value, list) else [value]
    return lifted


def _split(name: str, value: Any, path: Path, where: str, rules: Kind) -> FieldSplit:
    """Check one split and wrap its arrays."""
    if not isinstance(value, dict):
        raise DataError(f"{where}: {type(value).__name__} instead of a dictionary with the keys id, text, audio, ...")
    given = {key: item for key, item in text_keys(value, where).items() if item is not None}
    clips = _count(given, where)
    identifiers = _strings(given, "id", clips, where, read_identifiers) or [
        f"{name or path.stem}-{row}" for row in range(clips)
    ]
    _check_unique(identifiers, where)
    tokens = _token_sequences(given, clips, where)
    found = {m: _sequences(given, m, clips, where) for m in MODALITIES}
    text = found["text"]
    if (text or tokens or found["audio"] or found["vision"]) is None:
        raise DataError(f"{where}: none of the keys {', '.join(MODALITIES)} is there; a data set needs features")
    if tokens is not None and text is not None and tokens.steps != text.steps:
        raise DataError(f"{where}: 'text' has {text.steps} steps and 'text_bert' {tokens.steps}; they must agree")
    lengths = {m: _lengths(given, m, found[m] or (tokens if m == "text" else None), where) for m in MODALITIES}
    steps = {s.steps for s in (text or tokens, found["audio"], found["vision"]) if s is not None}
    return FieldSplit(
        name=name,
        identifiers=identifiers,
        transcripts=_strings(given, "raw_text", clips, where, transcripts) or [""] * clips,
        sequences=found,
        lengths=lengths,
        tokens=tokens,
        labels={} if name in (MIXED, "unlabelled") else _labels(given, identifiers, rules, where),
        keep=_kept(given, clips, where) if name == MIXED else np.ones(clips, bool),
        aligned=(text or tokens) is not None
        and lengths["audio"] is lengths["vision"] is None
        and len(steps) == 1
        and None not in steps,
        where=where,
    )


def _count(given: dict[Any, Any], where: str) -> int:
    """Count the clips of a split by the first key that tells."""
    for key in _COUNT_KEYS:
        value = given.get(key)
        if isinstance(value, list | LazyArray):
            clips = len(value) if isinstance(value, list) else (value.shape or (1,))[0]
            if not clips:
                raise DataError(f"{where}: no clips ('{key}' is empty); remove the split or fill it")
            return clips
    raise DataError(f"{where}: none of the keys {', '.join(_COUNT_KEYS)} is there; check the file")


def _check_count(found: int, clips: int, key: str, where: str) -> None:
    """Check that a key has an entry for each clip."""
    if found != clips:
        raise DataError(f"{where}: '{key}' has {found} entries for {clips} clips; they must agree")


def _strings(
    given: dict[Any, Any], key: str, clips: int, where: str, read: Callable[[Any, str], list[str]]
) -> list[str] | None:
    """Read one string a clip, or None where the key is missing."""
    if key not in given:
        return None
    texts = read(given[key], f"{where}, key '{key}'")
    _check_count(len(texts), clips, key, where)
    return texts


def _check_unique(identifiers: list[str], where: str) -> None:
    """Refuse ids that occur twice."""
    seen: set[str] = set()
    for identifier in identifiers:
        if identifier in seen:
            raise DataError(f"{where}, key 'id', clip {identifier}: the id occurs twice; ids must be unique")
        seen.add(identifier)


def _sequences(given: dict[Any, Any], key: str, clips: int, where: str) -> Sequences | None:
    """Wrap the features of one modality, or None where the key is missing."""
    if key not in given:
        return None
    found = sequences(given[key], f"{where}, key '{key}'")
    _check_count(found.clips, clips, key, where)
    return found


def _token_sequences(given: dict[Any, Any], clips: int, where: str) -> Sequences | None:
    """Wrap the tokens as (steps, 3) a clip; a file of three rows a clip is turned."""
    found = _sequences(given, "text_bert", clips, where)
    if found is None:
        return None
    if found.steps == 3:
        return _Turned(found)
    if found.width != 3:
        raise DataError(f"{where}: 'text_bert' has clips of shape ({found.steps}, {found.width}), not (3, steps)")
    return found


class _Turned:
    """Sequences with their two axes exchanged."""

    def __init__(self, inner: Sequences) -> None:
        """Take sequences of one common length."""
        self._inner = inner
        self.clips, self.width = inner.clips, inner.steps or 0
        self.steps: int | None = inner.width

    def __iter__(self) -> Iterator[np.ndarray]:
        """Give each clip turned."""
        for frames in self._inner:
            yield frames.T


def _lengths(given: dict[Any, Any], modality: str, found: Sequences | None, where: str) -> np.ndarray | None:
    """Read the true lengths of a modality, or None where the file has none."""
    key = f"{modality}_lengths"
    if key not in given or found is None:
        return None
    lengths = flat(given[key], f"{where}, key '{key}'")
    _check_count(len(lengths), found.clips, key, where)
    for row, length in enumerate(lengths):
        if length != int(length if np.isfinite(length) else -1) or length < 0:
            raise DataError(f"{where}, key '{key}', clip {row}: {length} is no number of steps")
        if found.steps is not None and length > found.steps:
            raise DataError(f"{where}, key '{key}', clip {row}: length {length:g}, but only {found.steps} steps")
    return lengths.astype(np.int64)


def _labels(given: dict[Any, Any], identifiers: list[str], rules: Kind, where: str) -> dict[str, np.ndarray]:
    """Read the labels of each target; unimodal ones only of data sets that have them."""
    labels: dict[str, np.ndarray] = {}
    for target in TARGETS if rules.unimodal_labels else TARGETS[:1]:
        key = (rules.sources or LABEL_KEYS).get(target, "")
        if target in rules.sources and key not in given:
            raise DataError(
                f"{where}: there is no key '{key}', which the kind names; it has {', '.join(map(str, given))}"
            )
        if target == "multimodal" and key not in given:
            key = "labels"
        if key not in given:
            continue
        values = flat(given[key], f"{where}, key '{key}'")
        _check_count(len(values), len(identifiers), key, where)
        if np.isnan(values).all():
            continue
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0])
            raise DataError(
                f"{where}, key '{key}', clip {identifiers[row]}: the label is {values[row]}; mend or drop it"
            )
        labels[target] = values
    return labels if "multimodal" in labels else {}


def _kept(given: dict[Any, Any], clips: int, where: str) -> np.ndarray:
    """Find the rows of `train_mix` without labels."""
    if "mask" not in given:
        raise DataError(f"{where}: the key 'mask' is missing, which tells labelled from unlabelled clips; add it")
    mask = flat(given["mask"], f"{where}, key 'mask'")
    _check_count(len(mask), clips, "mask", where)
    kept: np.ndarray = mask == 0
    return kept


def _check_widths(splits: list[FieldSplit], path: Path) -> None:
    """Check that every split has frames of the same width."""
    for split in splits[1:]:
        for m in MODALITIES:
            first, other = splits[0].widths[m], split.widths[m]
            if (m in splits[0].absent) != (m in split.absent):
                there, lacking = (split, splits[0]) if m in splits[0].absent else (splits[0], split)
                raise DataError(
                    f"{path}: the key '{m}' is missing in split {lacking.name}, but split {there.name} has it; give "
                    "all splits the same modalities"
                )
            if first != other:
                raise DataError(
                    f"{path}: '{m}' has {first} features a frame in split {splits[0].name} but {other} in split "
                    f"{split.name}; they must agree"
                )
