"""What the starter model is measured on: texts kept apart, by domain, language and the way they are written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from imlcmm.calibration import Curve
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.models.base import SentimentModel
from imlcmm.models.inference import predict_split
from starter.store import SPOKEN

RATED = ("tweet", "product", "film", "editorial")
NEUTRAL = ("talk", "screen")


@dataclass(frozen=True)
class Measured:
    """What the model says of a split, beside what people say.

    Attributes:
        domains: (texts,) kind of each.
        chinese: (texts,) whether it is in Chinese.
        spoken: (texts,) whether it is written as a recogniser writes.
        names: (texts,) the same for a text and its spoken form.
        texts: (texts,) what they say.
        label: (texts,) sentiment.
        value: (texts,) what the model says.
        low: (texts,) lower end of its interval.
        high: (texts,) upper end.
        confidence: (texts,) how sure it is of the side.
    """

    domains: np.ndarray
    chinese: np.ndarray
    spoken: np.ndarray
    names: np.ndarray
    texts: np.ndarray
    label: np.ndarray
    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    confidence: np.ndarray

    def of(self, *domains: str) -> np.ndarray:
        """Say which texts are of some domains."""
        return np.isin(self.domains, domains)

    @property
    def inside(self) -> np.ndarray:
        """Say which labels lie in their intervals."""
        return (self.low <= self.label) & (self.label <= self.high)


def measure(model: SentimentModel, curve: Curve, clips: ClipDataset) -> Measured:
    """Score a split as a predictor would."""
    raw = predict_split(model, clips)["text"].tolist()
    steps = clips.lengths("text").tolist()
    ends = np.clip([curve.interval(p, n) for p, n in zip(raw, steps, strict=True)], -1, 1)
    names = [identifier.removesuffix(SPOKEN) for identifier in clips.ids]
    domains = np.array([name.split("-")[0] for name in names])
    return Measured(
        domains,
        np.isin(domains, "review") | np.array(["$_$zh-" in name for name in names]),
        np.array([identifier.endswith(SPOKEN) for identifier in clips.ids]),
        np.array(names),
        np.array(clips.transcripts),
        np.asarray(clips.labels)[:, 0],
        np.clip([curve.value(p) for p in raw], -1, 1),
        *ends.T,
        np.array([curve.confidence(p, n) for p, n in zip(raw, steps, strict=True)]),
    )


def correlation(first: np.ndarray, second: np.ndarray) -> float:
    """Give Pearson's correlation."""
    return float(np.corrcoef(first, second)[0, 1])


def coverage(measured: Measured) -> dict[str, float]:
    """Give the share of labels inside the 90 % intervals: of all, of thirds by value, of each language."""
    known = ~measured.of("editorial")
    order = np.flatnonzero(known)[np.argsort(measured.value[known], kind="stable")]
    thirds = dict(zip(("lowest third", "middle third", "highest third"), np.array_split(order, 3), strict=True))
    parts = {
        "all": np.flatnonzero(known),
        **thirds,
        "English": np.flatnonzero(known & ~measured.chinese),
        "Chinese": np.flatnonzero(known & measured.chinese),
        "editorials (never trained on)": np.flatnonzero(~known),
    }
    return {name: float(measured.inside[rows].mean()) for name, rows in parts.items()}


def same_side(measured: Measured, least: float = 0.2) -> float:
    """Give the share of clear texts that stay on their side when they are written as a recogniser writes."""
    written = {name: value for name, value, spoken in _rows(measured) if not spoken}
    pairs = [(written[name], value) for name, value, spoken in _rows(measured) if spoken and name in written]
    clear = [a * b > 0 for a, b in pairs if abs(a) >= least]
    return float(np.mean(clear))


def _rows(measured: Measured) -> list[tuple[str, float, bool]]:
    return list(zip(measured.names.tolist(), measured.value.tolist(), measured.spoken.tolist(), strict=True))


def deletion(
    texts: Sequence[str],
    named: Callable[[str], str | None],
    value: Callable[[str], float],
    words: Callable[[str], list[str]],
) -> tuple[float, float, int]:
    """Take the word that a text is said to hinge on out of it, and another one by chance.

    Args:
        texts: Some texts.
        named: Gives the word that is named first, None where none is.
        value: Gives the sentiment of a text.
        words: Splits a text.

    Returns:
        Mean absolute change without the named word and without another one, and the number of texts with both.
    """
    draw, changes = np.random.default_rng(0), []
    for text in texts:
        first = named(text)
        others = [word for word in words(text) if first is not None and word != first and text.count(word) == 1]
        if first is None or not others or text.count(first) != 1:
            continue
        whole = value(text)
        other = others[int(draw.integers(len(others)))]
        changes.append([abs(whole - value(" ".join(text.replace(word, " ").split()))) for word in (first, other)])
    return (*(float(mean) for mean in np.mean(changes, axis=0)), len(changes))
