"""Encoding texts, in pieces that are kept, so that none is encoded twice and a stopped run goes on."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from tqdm import tqdm

from imlcmm.features.feature_set import FeatureSet
from imlcmm.features.text.encoder import TextFeatures
from imlcmm.files import replacing

PIECE = 512


class Extractor(Protocol):
    """What is needed of a TextExtractor."""

    features: FeatureSet

    def __call__(self, texts: Sequence[str]) -> list[TextFeatures]:
        """Encode texts."""
        ...


def encode(texts: Sequence[str], extractor: Extractor, folder: Path) -> Iterator[TextFeatures]:
    """Encode texts; how their tokens are written is not kept.

    Args:
        texts: What to encode.
        extractor: What encodes.
        folder: Where the pieces are kept.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for start in tqdm(range(0, len(texts), PIECE), unit="piece", desc="encoding"):
        piece = list(texts[start : start + PIECE])
        key = hashlib.sha256(repr((extractor.features.describe(), piece)).encode()).hexdigest()
        path = folder / f"{key[:32]}.npz"
        if not path.exists():
            _write(path, extractor(piece))
        yield from _read(path)


def _write(path: Path, texts: Sequence[TextFeatures]) -> None:
    """Keep the features of some texts in one file."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(
            file,
            values=np.concatenate([text.values for text in texts]).astype(np.float16),
            tokens=np.concatenate([text.tokens for text in texts]),
            steps=[len(text.values) for text in texts],
        )


def _read(path: Path) -> Iterator[TextFeatures]:
    """Read the features of some texts again."""
    with np.load(path, allow_pickle=False) as piece:
        ends = np.cumsum(piece["steps"])[:-1]
        parts = zip(np.split(piece["values"], ends), np.split(piece["tokens"], ends), strict=True)
        for values, tokens in parts:
            yield TextFeatures(values, tokens, (), np.zeros((len(values), 2), int))
