"""Two recordings, or collections of them, side by side."""

import re
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from sqlalchemy import select
from sqlalchemy.orm import Session

from imlcmm.evaluation.statistics import interval
from imlcmm.features.words.utterances import UNKNOWN
from imlcmm.serve.api import schemas
from imlcmm.serve.api.errors import refuse
from imlcmm.serve.api.recordings import find_recording
from imlcmm.serve.api.views import scored_utterances
from imlcmm.serve.bench import TheSession
from imlcmm.serve.state.tables import Recording

router = APIRouter(tags=["comparison"])

_TENTHS, _RESAMPLES, _FEWEST = 10, 1000, 5
_NEAR_NEUTRAL = 0.1
"""Half the width of what counts as neutral, as a share of the way from neutral to the scale's end (CH-SIMS: ±.1)."""
_LETTERS = re.compile("[A-Z]{1,2}")
Which = Annotated[str, Query(pattern=r"^(recording:\d{1,12}|collection:.{1,200}|all)$")]


@router.get("/compare")
def compare(session: TheSession, a: Which, b: Which | None = None) -> schemas.Contrast:
    """Compare the sentiment of two sides: `recording:3`, `collection:Interviews` or `all`."""
    first, second = _Side(session, a), _Side(session, b) if b is not None else None
    rows = [row for side in (first, second) if side is not None for row in side.recordings]
    if not rows:
        refuse(409, "there is nothing scored to compare yet")
    scales = {(row.low, row.high, row.neutral) for row in rows}
    if len(scales) > 1:
        refuse(409, "the two sides were scored on different scales; score both with one model")
    low, high, neutral = scales.pop()
    draws = [side.draws for side in (first, second) if side is not None]
    differs = len(draws) == 2 and all(len(each) for each in draws)
    return schemas.Contrast(
        low=low, high=high, neutral=neutral, models=sorted({row.model for row in rows}),
        a=first.view(low, high, neutral),
        b=None if second is None else second.view(low, high, neutral),
        difference=None if second is None or not differs else second.mean() - first.mean(),
        difference_interval=interval(draws[1] - draws[0]) if differs else None,
    )  # fmt: skip


class _Side:
    """The scored utterances of one side: values, weights in seconds, and to which recording each belongs."""

    def __init__(self, session: Session, which: str) -> None:
        kind, _, name = which.partition(":")
        if kind == "recording":
            self.recordings = [find_recording(session, int(name))]
            self.name = self.recordings[0].name
        else:
            query = select(Recording)
            if kind == "collection":
                query = query.where(Recording.collection == name)
            self.name, self.recordings = name or "all recordings", list(session.scalars(query))
        found = scored_utterances(session, self.recordings)
        scored = [(r, u) for r in self.recordings for u in found[r.id] if u.sentiment is not None]
        self.recordings = [r for r in self.recordings if any(u.sentiment is not None for u in found[r.id])]
        self.utterances = [u for _, u in scored]
        self.values = np.array([u.sentiment for _, u in scored], float)
        self.weights = np.array([max(u.end - u.start, 1e-3) for _, u in scored], float)
        self.places = np.array([(u.start + u.end) / 2 / (r.duration or u.end) for r, u in scored], float)
        whole = len(self.recordings) >= _FEWEST
        self.resampled = "recordings" if whole else "utterances"
        self.draws = self._draws(np.array([r.id for r, _ in scored]) if whole else np.arange(len(scored)))

    def mean(self, rows: np.ndarray | None = None) -> float:
        """Average over the time that was spoken."""
        chosen = slice(None) if rows is None else rows
        return float(np.average(self.values[chosen], weights=self.weights[chosen]))

    def _draws(self, units: np.ndarray) -> np.ndarray:
        """Draw as many units as there are, with replacement, and give the mean of each draw."""
        names, owner = np.unique(units, return_inverse=True)
        sums, masses = np.bincount(owner, self.values * self.weights), np.bincount(owner, self.weights)
        generator = np.random.default_rng(0)
        rows = (generator.integers(len(names), size=len(names)) for _ in range(_RESAMPLES if len(names) else 0))
        return np.array([sums[each].sum() / masses[each].sum() for each in rows])

    def view(self, low: float, high: float, neutral: float) -> schemas.Side:
        """Describe the side."""
        if not len(self.values):
            refuse(409, f"{self.name} has no scored utterance yet")
        edges = neutral - _NEAR_NEUTRAL * (neutral - low), neutral + _NEAR_NEUTRAL * (high - neutral)
        sides = np.digitize(self.values, edges)
        shares = np.bincount(sides, self.weights, minlength=3) / self.weights.sum()
        counts = np.histogram(np.clip(self.values, low, high), bins=_TENTHS, range=(low, high))[0]
        tenths = np.minimum((self.places * _TENTHS).astype(int), _TENTHS - 1)
        conflicts = [u.agreement == "conflict" for u in self.utterances if u.agreement]
        return schemas.Side(
            name=self.name,
            recordings=len(self.recordings),
            utterances=len(self.values),
            seconds=float(self.weights.sum()),
            mean=self.mean(),
            interval=interval(self.draws) if len(self.values) > 1 else None,
            resampled=self.resampled,
            shares=dict(zip(("negative", "neutral", "positive"), map(float, shares), strict=True)),
            histogram=[float(count) / len(self.values) for count in counts],
            over_time=[self._mean_where(tenths == tenth) for tenth in range(_TENTHS)],
            conflicts=float(np.mean(conflicts)) if conflicts else None,
            speakers=self._speakers(),
        )

    def _mean_where(self, rows: np.ndarray) -> float | None:
        return self.mean(rows) if rows.any() else None

    def _speakers(self) -> dict[str, float]:
        told = np.array([self._known(u.speaker) for u in self.utterances])
        return {name: self.mean(told == name) for name in sorted({*told.tolist()}) if name}

    def _known(self, name: str) -> str:
        """Give a name as it holds beyond its recording: A of one is not A of another."""
        if _LETTERS.fullmatch(name):
            return f"{name} of {self.name}" if len(self.recordings) == 1 else ""
        return "" if name == UNKNOWN else name
