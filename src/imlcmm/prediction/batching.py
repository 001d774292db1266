"""From extracted clips to the arrays that a model reads."""

from collections.abc import Collection, Mapping, Sequence

import numpy as np

from imlcmm.datasets.stores.repair import Repair
from imlcmm.errors import ModelError
from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.feature_set import FeatureSet
from imlcmm.prediction.networks.network import ClipArrays
from imlcmm.types import MODALITIES, DataSpec


def check_features(spec: DataSpec, sets: dict[str, FeatureSet]) -> None:
    """Refuse features other than those that a model was trained on.

    Raises:
        ModelError: Naming both.
    """
    for m, given in sets.items():
        known, found = f"{spec.features[m]} ({spec.widths[m]} columns)", f"{given.name} ({given.width} columns)"
        if known != found:
            raise ModelError(
                f"the model was trained on {m} features {known}, but these are {found}; "
                "extract the training clips with the same extractors, or choose those of the model"
            )


def to_arrays(
    clips: Sequence[ExtractedClip], spec: DataSpec, modalities: Collection[str], means: Mapping[str, np.ndarray]
) -> ClipArrays:
    """Pad clips to the longest; frames that could not be measured and modalities not asked for are masked.

    Args:
        clips: What was extracted.
        spec: Shape of the data that the model was trained on.
        modalities: Those that the model may read.
        means: (width,) mean of each column in training, which stands for single values that could not be measured.
    """
    sequences: dict[str, np.ndarray] = {}
    masks: dict[str, np.ndarray] = {}
    for m in MODALITIES:
        found = [_values(clip, m, spec) if m in modalities else np.zeros((0, spec.widths[m])) for clip in clips]
        longest = max(1, *(len(values) for values in found)) if found else 1
        padded = np.zeros((len(clips), longest, spec.widths[m]), np.float32)
        there = np.zeros(padded.shape[:2], bool)
        repair = Repair(np.zeros(spec.widths[m], bool), means.get(m, np.zeros(spec.widths[m])))
        for row, values in enumerate(found):
            padded[row, : len(values)], there[row, : len(values)], _ = repair(values)
        sequences[m], masks[m] = padded, there
    return ClipArrays(sequences, masks, _tokens(clips, sequences["text"].shape[1]))


def _values(clip: ExtractedClip, modality: str, spec: DataSpec) -> np.ndarray:
    features = clip.features.get(modality)
    return np.zeros((0, spec.widths[modality])) if features is None else features.values


def _tokens(clips: Sequence[ExtractedClip], steps: int) -> np.ndarray:
    tokens = np.zeros((len(clips), 3, steps), np.int64)
    for row, clip in zip(tokens, clips, strict=True):
        if clip.text is not None:
            row[:, : len(clip.text.tokens)] = clip.text.tokens.T
    return tokens
