"""Which words the sentiment of a text hinges on: what it would lose without each of them."""

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

import numpy as np

from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.words.word import holds_chinese
from imlcmm.prediction.result import Contribution

LEAST, SHOWN = 0.02, 3
"""Share of the scale below which a change is not worth naming, and how many words are named."""


def contributions(
    clip: ExtractedClip, start: float, value: Callable[[Sequence[ExtractedClip]], list[float]], span: float
) -> tuple[Contribution, ...]:
    """Leave one word after another out, and give those whose absence changes the most.

    A word's token states are taken away, while those of the others, which the encoder has read beside it, stay.

    Args:
        clip: What the model read.
        start: Second of the video at which the clip begins.
        value: Gives the sentiment of the text of some clips.
        span: Width of the sentiment's scale.
    """
    words = list(_words(clip))
    if len(words) < 2:
        return ()
    whole, *without = value([clip, *(_left_out(clip, steps) for _, steps in words)])
    times = np.nan_to_num(clip.features["text"].times)
    found = [
        Contribution(
            word, float(times[steps[0], 0]) + start, float(times[steps[-1], 1]) + start, round(whole - rest, 3)
        )
        for (word, steps), rest in zip(words, without, strict=True)
    ]
    weighty = [each for each in found if abs(each.change) >= LEAST * span]
    return tuple(sorted(weighty, key=lambda each: -abs(each.change))[:SHOWN])


def _words(clip: ExtractedClip) -> Iterator[tuple[str, list[int]]]:
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
        yield said[spans[own[0]][0] : spans[own[-1]][1]].strip(), own


def _left_out(clip: ExtractedClip, steps: list[int]) -> ExtractedClip:
    """Take token states away from a clip."""
    text = clip.features["text"]
    values, times = (np.delete(each, steps, axis=0) for each in (text.values, text.times))
    left = clip.text._replace(tokens=np.delete(clip.text.tokens, steps, axis=0)) if clip.text else None
    return clip._replace(features={"text": text._replace(values=values, times=times)}, text=left)
