"""What the multilingual encoder carries from one language to the other: learnt on one alone, tested on the other."""

from typing import NamedTuple

import numpy as np

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from starter.grading import fit_grader, pool
from starter.measure import RATED, correlation

REVIEW = ("review",)


class Transfer(NamedTuple):
    """How a linear model does in a language that it has not learnt.

    Attributes:
        to_chinese: Share of Chinese reviews that it puts on the right side after English ratings.
        to_english: Correlation with people's ratings of English texts after Chinese reviews.
    """

    to_chinese: float
    to_english: float


def measure_transfer(data: SentimentData) -> Transfer:
    """Learn from the training split in one language, and test on the test split in the other."""
    english, reviews = (_Texts.of(data.train, domains) for domains in (RATED, REVIEW))
    their_english, their_reviews = (_Texts.of(data.test, domains) for domains in (RATED, REVIEW))
    of_english = fit_grader(*english, *their_english)(their_reviews.pooled)
    of_chinese = fit_grader(reviews.pooled, np.sign(reviews.label), *their_reviews)(their_english.pooled)
    right = float(np.mean(np.sign(of_english) == np.sign(their_reviews.label)))
    return Transfer(right, correlation(of_chinese, their_english.label))


class _Texts(NamedTuple):
    pooled: np.ndarray
    label: np.ndarray

    @classmethod
    def of(cls, clips: ClipDataset, domains: tuple[str, ...]) -> "_Texts":
        rows = [row for row, name in enumerate(clips.ids) if name.split("-")[0] in domains]
        return cls(np.stack([pool(clips.frames("text", row)) for row in rows]), np.asarray(clips.labels)[rows, 0])
