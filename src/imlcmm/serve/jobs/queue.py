"""Jobs that wait: adding them without doubles, and taking up again what a stopped server left."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from imlcmm.serve.state.tables import CANCELLED, DONE, FAILED, RUNNING, WAITING, Job, Recording, SpokenUtterance

NEW_JOBS = "new jobs"
"""Key under which a session notes that lanes shall look for jobs when it is committed."""

_KEPT = 200
"""Ended jobs that are remembered; those of runs and results stay all."""
_PASSING = ("score", "preview", "adopt", "simulate")


def add_job(
    session: Session, kind: str, *, subject: str = "", recording: Recording | None = None, urgent: bool = False,
    **payload: Any,
) -> Job:  # fmt: skip
    """Add a job; an equal one that waits already does for both."""
    recording_id = None if recording is None else recording.id
    same = select(Job).where(
        Job.kind == kind, Job.subject == subject, Job.recording_id == recording_id, Job.state == WAITING
    )
    job = next((each for each in session.scalars(same) if each.payload == payload), None)
    if job is None:
        job = Job(kind=kind, subject=subject, recording_id=recording_id, payload=payload, state=WAITING)
        session.add(job)
    job.is_urgent = urgent or bool(job.is_urgent)
    session.info[NEW_JOBS] = True
    if recording is not None and kind == "score" and recording.status != RUNNING:
        recording.status, recording.failure = WAITING, ""
    session.flush()
    return job


def next_job(session: Session, kinds: Iterable[str]) -> Job | None:
    """Give the job to do next."""
    waiting = select(Job).where(Job.state == WAITING, Job.kind.in_(list(kinds)))
    return session.scalar(waiting.order_by(Job.is_urgent.desc(), Job.id).limit(1))


def take_up_again(session: Session) -> None:
    """Let what was running when the server stopped wait again, and forget old jobs that nobody looks up.

    A recording that waits without a job, such as for a transcript that never came, gets one.
    """
    session.execute(update(Job).where(Job.state == RUNNING).values(state=WAITING))
    session.execute(update(Recording).where(Recording.status == RUNNING).values(status=WAITING))
    for recording in session.scalars(select(Recording).where(Recording.status == WAITING)):
        add_job(session, "score", recording=recording)
    ended = select(Job.id).where(Job.state.in_((DONE, FAILED, CANCELLED)), Job.kind.in_(_PASSING))
    session.execute(delete(Job).where(Job.id.in_(ended.order_by(Job.id.desc()).offset(_KEPT))))


def score_anew(session: Session, recordings: Iterable[Recording]) -> None:
    """Score recordings with the present model; their cuts, words and labels stay."""
    for recording in recordings:
        of_it = SpokenUtterance.recording_id == recording.id
        session.execute(update(SpokenUtterance).where(of_it).values(is_stale=True))
        add_job(session, "score", recording=recording)
