"""Which moments of an utterance a model's attention pooling looked at."""

import numpy as np

from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.prediction.networks.network import Scores
from imlcmm.prediction.result import Moment
from imlcmm.types import MODALITIES

STRETCH, SHOWN = 0.5, 3


def moments(scores: Scores, clip: ExtractedClip, start: float) -> tuple[Moment, ...]:
    """Give the stretches with the most weight of each modality that the clip has; none for models without pooling.

    Audio and vision are summed over half-second stretches, text over words' pieces.

    Args:
        scores: Of this clip alone; `attention` holds (1, steps) weights of each modality.
        clip: What the model read.
        start: Second of the video at which the clip begins.
    """
    found: list[Moment] = []
    for m in MODALITIES:
        if m not in scores.attention or m not in clip.features:
            continue
        weights = scores.attention[m][0].astype(float)[: len(clip.features[m].values)]
        if weights.sum() > 0:
            parts = _words(weights, clip) if m == "text" else _stretches(weights, clip, m)
            best = sorted(parts, key=lambda moment: -moment.weight)[:SHOWN]
            found += [Moment(m, p.start + start, p.end + start, round(p.weight, 2), p.text) for p in best]
    return tuple(found)


def _stretches(weights: np.ndarray, clip: ExtractedClip, modality: str) -> list[Moment]:
    """Sum the weights over stretches of equal length."""
    times = clip.features[modality].times
    place = (times.mean(1) // STRETCH).astype(int)
    sums, sizes = np.bincount(place, weights), np.bincount(place)
    fair = sizes * weights.sum() / len(weights)
    return [
        Moment(modality, float(times[place == p, 0].min()), float(times[place == p, 1].max()), float(sums[p] / fair[p]))
        for p in np.flatnonzero(sizes)
    ]


def _words(weights: np.ndarray, clip: ExtractedClip) -> list[Moment]:
    """Name the words under the tokens; special tokens have no place in the text."""
    if clip.text is None:
        return []
    fair = weights.sum() / len(weights)
    times = np.nan_to_num(clip.features["text"].times)
    return [
        Moment("text", float(times[i, 0]), float(times[i, 1]), float(weights[i] / fair), word)
        for i, (begin, end) in enumerate(clip.text.spans)
        if (word := clip.transcript[begin:end].strip())
    ]
