"""Which words the sentiment of a text hinges on: what it would lose without each of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

import numpy as np

from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.text.encoder import TextFeatures
from imlcmm.features.words.word import holds_chinese, join_words
from imlcmm.prediction.result import Contribution

LEAST, TRIED, SHOWN = 0.02, 12, 3
"""Share of the scale below which a change is not worth naming; how many words are tried, and how many are named."""


class _Word(NamedTuple):
    text: str
    steps: list[int]


def contributions(
    clip: ExtractedClip,
    start: float,
    read: Callable[[Sequence[str]], list[TextFeatures]],
    value: Callable[[Sequence[ExtractedClip]], list[float]],
    span: float,
) -> tuple[Contribution, ...]:
    """Leave one word after another out of a text, read it anew, and give those whose absence changes the most.

    Reading takes time: of a long text only the words are tried whose token states, taken away, change the most.

    Args:
        clip: What the model read.
        start: Second of the video at which the clip begins.
        read: Encodes texts.
        value: Gives the sentiment of the text of some clips.
        span: Width of the sentiment's scale.
    """
    words = list(_words(clip))
    if clip.text is None or len(words) < 2:
        return ()
    whole, *guesses = value([clip, *(_without_states(clip, word.steps) for word in words)])
    likely = sorted(zip(guesses, words, strict=True), key=lambda each: -abs(whole - each[0]))[:TRIED]
    tried = [word for _, word in likely]
    texts = [_without(clip.transcript, clip.text.spans[word.steps]) for word in tried]
    others = value([ExtractedClip.of_text(text, found) for text, found in zip(texts, read(texts), strict=True)])
    times = np.nan_to_num(clip.features["text"].times) + start
    found = [
        Contribution(word.text, float(times[word.steps[0], 0]), float(times[word.steps[-1], 1]), round(whole - rest, 3))
        for word, rest in zip(tried, others, strict=True)
    ]
    weighty = [each for each in found if abs(each.change) >= LEAST * span]
    return tuple(sorted(weighty, key=lambda each: -abs(each.change))[:SHOWN])


def _words(clip: ExtractedClip) -> Iterator[_Word]:
    """Give words with their steps: what stands between spaces, and in Chinese the tokenizer's pieces."""
    if clip.text is None:
        return
    said, spans = clip.transcript, clip.text.spans.tolist()

    def place(step: int) -> tuple[int, int]:
        begin, end = spans[step]
        return len(said[:begin].split()) + (not said[:begin][-1:].strip()), step if holds_chinese(
            said[begin:end]
        ) else -1

    steps = [step for step, (begin, end) in enumerate(spans) if any(c.isalnum() for c in said[begin:end])]
    for _, same in groupby(steps, place):
        own = list(same)
        yield _Word(said[spans[own[0]][0] : spans[own[-1]][1]].strip(), own)


def _without_states(clip: ExtractedClip, steps: list[int]) -> ExtractedClip:
    """Take token states away from a clip; those of the others, which were read beside them, stay."""
    text = clip.features["text"]
    values, times = (np.delete(each, steps, axis=0) for each in (text.values, text.times))
    left = clip.text._replace(tokens=np.delete(clip.text.tokens, steps, axis=0)) if clip.text else None
    return clip._replace(features={"text": text._replace(values=values, times=times)}, text=left)


def _without(said: str, spans: np.ndarray) -> str:
    """Take a word out of a text."""
    before, after = said[: spans[0, 0]].rstrip(), said[spans[-1, 1] :].lstrip()
    return join_words(part for part in (before, after) if part)
