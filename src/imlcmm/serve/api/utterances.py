"""Corrections: the words, the cut and the speaker of an utterance. What changes a score is scored again, alone."""

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session

from imlcmm.clean_text import clean_text
from imlcmm.features.words.word import Word, join_words, spread_words
from imlcmm.serve.api import schemas
from imlcmm.serve.api.errors import found, refuse
from imlcmm.serve.api.views import utterance_view
from imlcmm.serve.bench import TheSession
from imlcmm.serve.jobs.queue import add_job
from imlcmm.serve.state.tables import SpokenUtterance

router = APIRouter(prefix="/utterances", tags=["utterances"])

_SHORTEST = 0.1
_SLACK = 1e-3


@router.patch("/{number}")
def change_utterance(number: int, change: schemas.UtteranceChange, session: TheSession) -> schemas.Utterance:
    """Correct an utterance; its scores are computed again unless only the speaker changes."""
    row = find_utterance(session, number)
    if change.speaker is not None:
        row.speaker = clean_text(change.speaker)
    start = row.start if change.start is None else change.start
    end = row.end if change.end is None else change.end
    said = row.transcript if change.transcript is None else clean_text(change.transcript).strip()
    if (start, end) != (row.start, row.end):
        _check_span(session, row, start, end)
    if (start, end, said) != (row.start, row.end, row.transcript):
        row.start, row.end, row.transcript = start, end, said
        _score_again(session, row)
    session.flush()
    return utterance_view(row)


@router.post("/{number}/split")
def split_utterance(number: int, cut: schemas.Cut, session: TheSession) -> list[schemas.Utterance]:
    """Cut an utterance in two; its words go to the side on which they are spoken, its labels to neither."""
    row = find_utterance(session, number)
    if not row.start + _SHORTEST <= cut.at <= row.end - _SHORTEST:
        refuse(422, f"cut between {row.start + _SHORTEST:.1f} and {row.end - _SHORTEST:.1f} s")
    words = [Word(**word) for word in row.content.get("words", ())]
    words = words or spread_words(row.transcript, [(row.start, row.end)])
    first = [word for word in words if (word.start + word.end) / 2 < cut.at]
    second = SpokenUtterance(
        recording_id=row.recording_id, start=cut.at, end=row.end, speaker=row.speaker,
        transcript=join_words(word.text for word in words[len(first) :]),
    )  # fmt: skip
    row.end, row.transcript, row.labels = cut.at, join_words(word.text for word in first), []
    session.add(second)
    session.flush()
    for part in (row, second):
        _score_again(session, part)
    session.flush()
    return [utterance_view(row), utterance_view(second)]


@router.post("/{number}/merge")
def merge_utterance(number: int, session: TheSession) -> schemas.Utterance:
    """Join an utterance with the next one; the labels of both are dropped, as they are of other stretches."""
    row = find_utterance(session, number)
    following = (
        select(SpokenUtterance)
        .where(SpokenUtterance.recording_id == row.recording_id, SpokenUtterance.start > row.start)
        .order_by(SpokenUtterance.start)
        .limit(1)
    )
    after = session.scalar(following)
    if after is None:
        refuse(409, "this is the last utterance; there is none after it to join")
    row.end, row.labels = after.end, []
    row.transcript = join_words(text for text in (row.transcript, after.transcript) if text)
    session.delete(after)
    _score_again(session, row)
    session.flush()
    return utterance_view(row)


def find_utterance(session: Session, number: int) -> SpokenUtterance:
    """Find an utterance by its number.

    Raises:
        HTTPException: If there is none.
    """
    missing = f"there is no utterance {number}; it may have been joined with another"
    return found(session.get(SpokenUtterance, number), missing)


def _check_span(session: Session, row: SpokenUtterance, start: float, end: float) -> None:
    """Refuse a stretch that is none, leaves the recording, or lies over another utterance."""
    if end - start < _SHORTEST:
        refuse(422, f"an utterance lasts {_SHORTEST} s at least, so its end must lie after {start + _SHORTEST:.1f} s")
    duration = row.recording.duration
    if duration is not None and end > duration + _SLACK:
        refuse(422, f"the recording ends at {duration:.1f} s")
    other = session.scalar(
        select(SpokenUtterance).where(
            SpokenUtterance.recording_id == row.recording_id,
            SpokenUtterance.id != row.id,
            SpokenUtterance.start < end - _SLACK,
            SpokenUtterance.end > start + _SLACK,
        )
    )
    if other is not None:
        refuse(
            422, f"that lies over the utterance from {other.start:.1f} to {other.end:.1f} s; change or join that first"
        )


def _score_again(session: Session, row: SpokenUtterance) -> None:
    """Forget the scores, which are of other words or another stretch, and have them computed before anything else."""
    row.is_corrected, row.is_stale, row.content = True, True, {}
    row.sentiment, row.confidence, row.agreement = None, None, ""
    add_job(session, "score", recording=row.recording, urgent=True)
