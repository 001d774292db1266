"""The data set that the starter model is trained on."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.features.text.encoder import TextFeatures
from imlcmm.types import Clip
from starter.encoding import Extractor, encode
from starter.grading import Grader, fit_grader, pool
from starter.spoken import spoken
from starter.texts import Text, digest

SPOKEN = "-spoken"
WIDTHS = {"audio": 25, "vision": 194}
FEATURES = {"audio": "mfcc-25", "vision": "face-194"}


def with_spoken(texts: Sequence[Text]) -> list[Text]:
    """Add to every second text what a recogniser would write of it, on the same side of the split."""
    both: list[Text] = []
    for text in texts:
        both.append(text)
        bare = spoken(text.text, text.language)
        if text.domain != "editorial" and bare not in ("", text.text) and int(digest(text.text)[-1], 16) % 2:
            both.append(text._replace(name=text.name + SPOKEN, text=bare))
    return both


def write_store(store: Path, texts: Sequence[Text], extractor: Extractor, *, notes: dict[str, Any]) -> dict[str, int]:
    """Write the data set; reviews get a grade on their own side.

    Args:
        store: Where it goes; `store` with the ending .pieces keeps what was encoded.
        texts: What it holds.
        extractor: What encodes the texts.
        notes: What is known of the sources, kept with the data.

    Returns:
        How many texts of each split were written, and how many had not a single token.

    Raises:
        DataError: If the store cannot be written.
    """

    def encoded() -> Iterator[tuple[Text, TextFeatures]]:
        states = encode([text.text for text in texts], extractor, store.with_name(f"{store.name}.pieces"))
        yield from ((text, found) for text, found in zip(texts, states, strict=True) if len(found.values))

    known = [(text, pool(found.values)) for text, found in encoded()]
    grader = _grader(known)
    reviews = [(text, pooled) for text, pooled in known if text.domain == "review"]
    grades = {text.identifier: grader.given_side(pooled, text.label, _share(text)) for text, pooled in reviews}
    written = Counter[str]({"without a token": len(texts) - len(known)})
    with StoreWriter(
        store,
        kind="simsv2",
        widths={"text": extractor.features.width, **WIDTHS},
        features={"text": extractor.features.name, **FEATURES},
        dtype="float16",
        notes={**notes, "text": extractor.features.describe()},
    ) as writer:
        for text, found in encoded():
            label = grades.get(text.identifier, text.label)
            labels = {"multimodal": label, "text": label}
            writer.add(text.split, Clip(text.identifier, text.text, {"text": found.values}, labels, found.tokens))
            written[text.split] += 1
    return dict(written)


def _share(text: Text) -> float | None:
    """Say which quantile of what a review may be worth is its label: in training none, which stands for the mean."""
    return None if text.split == "train" else (int(digest(text.identifier)[:8], 16) + 0.5) / 16**8


def _grader(known: Sequence[tuple[Text, np.ndarray]]) -> Grader:
    """Learn to grade from the rated texts."""
    parts = []
    for split in ("train", "valid"):
        rated = [(text, pooled) for text, pooled in known if text.split == split and text.language == "en"]
        parts += [np.stack([pooled for _, pooled in rated]), np.array([text.label for text, _ in rated])]
    return fit_grader(*parts)
