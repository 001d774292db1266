"""Why what validation measured says nothing of an utterance, in a few words each."""

from collections.abc import Sequence
from statistics import fmean

from imlcmm.calibration import Calibration, Curve
from imlcmm.features.text.language import written_language
from imlcmm.features.words.utterances import Utterance
from imlcmm.features.words.word import Word

_UNCLEAR = 0.5
"""Mean probability of the recognised words below which much of them is wrong."""


def doubts(
    utterance: Utterance, words: Sequence[Word], calibration: Calibration | None, curve: Curve | None, steps: int
) -> tuple[str, ...]:
    """Name what sets an utterance apart from the clips that a model was measured on.

    Args:
        utterance: The utterance, with its language if that was heard.
        words: Its words, with the probabilities of a recogniser.
        calibration: What is known of the model; the languages that it was measured on, if they are.
        curve: The curve of what is said.
        steps: Length of the first modality that was read.
    """
    found = []
    text = utterance.text or " ".join(word.text for word in words)
    if calibration and calibration.languages and text:
        language = utterance.language or written_language(text)
        if language and language not in calibration.languages:
            found.append(f"language not learnt ({language})")
    if text and curve and curve.lengths and steps < curve.lengths[0]:
        found.append("few words")
    heard = [word.probability for word in words if word.probability is not None]
    if heard and fmean(heard) < _UNCLEAR:
        found.append("unclear speech")
    return tuple(found)
