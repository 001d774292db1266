"""Which moments of a voice or a face a model's attention pooling looked at."""

from collections.abc import Collection

import numpy as np

from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.prediction.networks.network import Scores
from imlcmm.prediction.result import Moment

STRETCH, SHOWN = 0.5, 3


def moments(scores: Scores, clip: ExtractedClip, read: Collection[str], start: float) -> tuple[Moment, ...]:
    """Give the half seconds of audio and vision with the most weight; none for models without pooling.

    Words are left to `contributions`: pooling looks at commas, too.

    Args:
        scores: Of this clip alone; `attention` holds (1, steps) weights of each modality.
        clip: What was extracted.
        read: What of it the model has read.
        start: Second of the video at which the clip begins.
    """
    found: list[Moment] = []
    for m in ("audio", "vision"):
        if m not in scores.attention or m not in read:
            continue
        weights = scores.attention[m][0].astype(float)[: len(clip.features[m].values)]
        if weights.sum() > 0:
            best = sorted(_stretches(weights, clip, m), key=lambda moment: -moment.weight)[:SHOWN]
            found += [Moment(m, p.start + start, p.end + start, round(p.weight, 2)) for p in best]
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
