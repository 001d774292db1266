"""Text features read anew from the transcripts that a data set brings, by the package's own encoder or another."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError
from imlcmm.features.feature_set import FeatureSet
from imlcmm.features.text.encoder import TextFeatures
from imlcmm.progress import Progress
from imlcmm.types import MODALITIES, TARGETS, Clip

_PIECE = 64


def read_words(
    data: SentimentData,
    out: Path,
    encode: Callable[[Sequence[str]], list[TextFeatures]],
    features: FeatureSet,
    *,
    progress: bool = True,
) -> Path:
    """Write a data set anew, with what an encoder makes of its transcripts in the place of its text features.

    Published text features may come from a network that learnt the labels; those of a frozen encoder cannot.

    Args:
        data: The data set; its audio, vision and labels are kept.
        out: The store to write.
        encode: Makes features of texts, such as a `TextExtractor`.
        features: What it makes.
        progress: Whether to show a progress bar.

    Returns:
        The path of the store.

    Raises:
        DataError: If there are no transcripts, or the store cannot be written.
    """
    if data.simulated or not any(any(clips.transcripts) for clips in data.splits.values()):
        raise DataError(f"{data.path} has no transcripts, so there are no words to read; extract features from videos")
    notes = data.manifest.get("notes", {})
    extractors = {**notes.get("extractors", {}), "text": features.describe()}
    writer = StoreWriter(
        out,
        kind=data.rules,
        widths={**data.spec.widths, "text": len(features.columns)},
        features={**data.spec.features, "text": features.name},
        notes={**notes, "extractors": extractors},
    )
    bar = Progress(total=sum(map(len, data.splits.values())), desc="reading words", unit="clip", disable=not progress)
    with bar, writer:
        for split, clips in data.splits.items():
            for row, words in enumerate(_encoded(clips, encode)):
                writer.add(split, _clip(clips, row, words))
                bar.update()
    return out


def _encoded(clips: ClipDataset, encode: Callable[[Sequence[str]], list[TextFeatures]]) -> Iterator[TextFeatures]:
    """Read the transcripts some at a time."""
    texts = clips.transcripts
    for start in range(0, len(texts), _PIECE):
        yield from encode(texts[start : start + _PIECE])


def _clip(clips: ClipDataset, row: int, words: TextFeatures) -> Clip:
    """Put the words of a clip beside what else it has; frames that were not finite stay so."""
    sequences = {"text": words.values}
    for m in (m for m in MODALITIES if m != "text"):
        valid = clips.valid_frames(m, row)
        sequences[m] = np.where(valid[:, None], clips.frames(m, row), np.nan)
    labels = dict(zip(TARGETS, clips.labels[row].tolist(), strict=True))
    known = {target: value for target, value in labels.items() if np.isfinite(value)}
    return Clip(clips.ids[row], clips.transcripts[row], sequences, known, words.tokens, words.pieces)
