"""From rows of the database to answers."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session

from imlcmm.features.cue_names import CUES
from imlcmm.serve.api import schemas
from imlcmm.serve.jobs.recordings import prediction_of
from imlcmm.serve.state.tables import Recording, SpokenUtterance

_POINTS = 48


class Scored(NamedTuple):
    """What a summary reads of an utterance; columns of the same names have it."""

    start: float
    end: float
    sentiment: float | None
    confidence: float | None
    agreement: str
    speaker: str


def scored_utterances(session: Session, recordings: Iterable[Recording]) -> dict[int, list[Scored]]:
    """Read what summaries need of the utterances of recordings, by the recordings' numbers and in order of time.

    Whole objects take ten times as long, which libraries of long recordings would feel.
    """
    columns = (getattr(SpokenUtterance, name) for name in ("recording_id", *Scored._fields))
    numbers = [recording.id for recording in recordings]
    query = select(*columns).where(SpokenUtterance.recording_id.in_(numbers)).order_by(SpokenUtterance.start)
    found: dict[int, list[Scored]] = defaultdict(list)
    for number, *scored in session.execute(query):
        found[number].append(Scored(*scored))
    return found


def utterance_view(row: SpokenUtterance) -> schemas.Utterance:
    """Give an utterance with everything that is known of it."""
    said = prediction_of(row).to_dict()
    own = {name: getattr(row, name) for name in ("id", "speaker", "is_corrected", "is_stale", "transcript")}
    return schemas.Utterance(**{**said, **own})


def recording_view(row: Recording, utterances: Sequence[Scored]) -> schemas.Recording:
    """Give a recording as lists show it."""
    return schemas.Recording(**_summary(row, utterances))


def detail_view(row: Recording) -> schemas.RecordingDetail:
    """Give a recording with its utterances."""
    scored = [Scored(*(getattr(u, name) for name in Scored._fields)) for u in row.utterances]
    return schemas.RecordingDetail(
        **_summary(row, scored),
        cue_units=dict(CUES),
        utterance_list=[utterance_view(u) for u in row.utterances],
    )


def weighted_mean(utterances: Sequence[Scored]) -> float | None:
    """Average the sentiment over the time that was spoken."""
    scored = [(u.sentiment, max(u.end - u.start, 1e-3)) for u in utterances if u.sentiment is not None]
    if not scored:
        return None
    values, weights = zip(*scored, strict=True)
    return float(np.average(values, weights=weights))


def _summary(row: Recording, utterances: Sequence[Scored]) -> dict[str, Any]:
    sure = [u.confidence for u in utterances if u.confidence is not None]
    columns = (
        "id", "name", "collection", "added", "size", "status", "failure", "duration", "has_picture", "has_sound",
        "has_preview", "model", "low", "high", "neutral",
    )  # fmt: skip
    return {
        **{name: getattr(row, name) for name in columns},
        "sentiment": weighted_mean(utterances),
        "utterances": len(utterances),
        "conflicts": sum(u.agreement == "conflict" for u in utterances),
        "confidence": float(np.mean(sure)) if sure else None,
        "sparkline": _sparkline(utterances),
    }


def _sparkline(utterances: Sequence[Scored]) -> list[schemas.Point]:
    """Join neighbours until there are few enough points to draw in a line of a list."""
    size = -(-len(utterances) // _POINTS) or 1
    groups = [utterances[i : i + size] for i in range(0, len(utterances), size)]
    return [schemas.Point(start=g[0].start, end=g[-1].end, sentiment=weighted_mean(g)) for g in groups]
