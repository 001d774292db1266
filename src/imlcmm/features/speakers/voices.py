"""Which utterances are of one voice."""

import numpy as np
from jaxtyping import Float

from imlcmm.features.words.utterances import UNKNOWN

SHORTEST = 1.0
"""Seconds of speech below which a voice cannot be told."""
_ALIKE = 0.45
"""Mean cosine between two groups of utterances from which on they are of one voice."""
_MARGIN = 0.1
"""How much nearer the nearest voice must be than the next one."""
_HEARD = 2.0
"""Seconds of speech that a voice has at least, or it may be a noise."""
_GROUPED = 2000
"""Utterances that are grouped at most, the longest; more of them are only compared with the groups."""


def tell_voices(vectors: Float[np.ndarray, "utterances width"], seconds: Float[np.ndarray, " utterances"]) -> list[str]:
    """Name the voice of each utterance: A, B, … in the order in which they are first heard.

    Utterances are grouped by average linkage on the cosine; then every one is compared with the groups' means. What
    is too short, like no voice, or as like another is unknown. Where fewer than two voices are found, nobody is named.

    Args:
        vectors: Of length 1 each; those of utterances shorter than `SHORTEST` are not looked at.
        seconds: How long somebody speaks in each.

    Returns:
        A name each: a letter, `UNKNOWN`, or empty where nobody speaks or is named.
    """
    centres = _centres(vectors, seconds)
    if len(centres) < 2:
        return [""] * len(seconds)
    letters: dict[int, str] = {}
    names = []
    for vector, length in zip(vectors, seconds, strict=True):
        voice = _nearest(vector, centres) if length >= SHORTEST else None
        if voice is None:
            names.append(UNKNOWN if length > 0 else "")
        else:
            names.append(letters.setdefault(voice, _letter(len(letters))))
    return names


def _centres(vectors: np.ndarray, seconds: np.ndarray) -> Float[np.ndarray, "voices width"]:
    """Group the clear utterances, and give the mean of each group that is heard for long enough."""
    # The import takes a third of a second, and recordings of one utterance need none of it.
    from scipy.cluster.hierarchy import fcluster, linkage

    longest = np.argsort(-seconds, kind="stable")[:_GROUPED]
    clear = longest[seconds[longest] >= SHORTEST]
    groups = fcluster(linkage(vectors[clear], "average", "cosine"), 1 - _ALIKE, "distance") if len(clear) > 1 else 1
    groups = np.broadcast_to(groups, len(clear))
    members = [clear[groups == group] for group in np.unique(groups)]
    means = [np.average(vectors[m], axis=0, weights=seconds[m]) for m in members if seconds[m].sum() >= _HEARD]
    return np.array([mean / np.linalg.norm(mean) for mean in means]).reshape(-1, vectors.shape[1])


def _nearest(vector: np.ndarray, centres: np.ndarray) -> int | None:
    """Find the voice that an utterance is of; None if it is like none, or as like another."""
    alike = centres @ vector
    best = int(alike.argmax())
    others = np.delete(alike, best)
    return best if alike[best] >= _ALIKE and alike[best] - others.max(initial=-1.0) >= _MARGIN else None


def _letter(number: int) -> str:
    """Count A to Z, then AA, AB and so on."""
    first, last = divmod(number, 26)
    return (_letter(first - 1) if first else "") + chr(ord("A") + last)
