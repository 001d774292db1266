"""Jobs on one recording: scoring what is stale of it, and making a copy that browsers play."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from imlcmm.features.words.word import Word
from imlcmm.prediction.result import UtterancePrediction
from imlcmm.serve.jobs.queue import add_job
from imlcmm.serve.state.database import setting
from imlcmm.serve.state.tables import CANCELLED, DONE, FAILED, RUNNING, WAITING, Job, Recording, SpokenUtterance
from imlcmm.serve.state.workspace import Workspace
from imlcmm.serve.work.tasks import PreviewTask, ScoreTask, Span

_IN_COLUMNS = ("start", "end", "transcript", "speaker", "sentiment", "confidence", "agreement")


class ScoreWork:
    """Score what is stale of a recording; each utterance is kept as it comes, so that no stop costs more than one."""

    def __init__(self, session: Session, job: Job, workspace: Workspace) -> None:
        """Collect what is stale; all of it where the recording is not cut yet."""
        recording = _recording(session, job)
        recording.status, recording.failure = RUNNING, ""
        self.recording_id = recording.id
        stale = [u for u in recording.utterances if u.is_stale] if recording.is_cut else []
        self.ids = [utterance.id for utterance in stale]
        self.spans = [span_of(utterance) for utterance in stale]
        model = setting(session, "model")
        self.task = ScoreTask(
            workspace.work / f"{job.id}.jsonl",
            workspace.media(recording.key, recording.suffix),
            self.spans if recording.is_cut else None,
            workspace.runs / model if model else None,
        )

    def hear(self, session: Session, found: dict[str, Any]) -> None:
        """Keep what the file holds, its cut, or an utterance's scores."""
        recording = session.get(Recording, self.recording_id)
        if recording is None:
            return
        match found.pop("what"):
            case "media":
                plays = found.pop("plays")
                for name, value in found.items():
                    setattr(recording, name, value)
                if not plays and not recording.has_preview:
                    add_job(session, "preview", recording=recording)
            case "model":
                recording.model = found["name"]
                recording.low, recording.high, recording.neutral = found["low"], found["high"], found["neutral"]
            case "cut":
                self._keep_cut(session, recording, found["utterances"])
            case "utterance":
                self._keep_scores(session, found.pop("index"), found)

    def finish(self, session: Session, state: str, failure: str) -> None:
        """Tell the recording how it ended; corrections that came meanwhile wait for the next job."""
        recording = session.get(Recording, self.recording_id)
        if recording is None:
            return
        of_it = select(Job.id).where(Job.kind == "score", Job.recording_id == recording.id, Job.state == WAITING)
        more = session.scalar(of_it) is not None
        scored = any(utterance.sentiment is not None for utterance in recording.utterances)
        recording.status = WAITING if more else DONE if state == CANCELLED and scored else state
        recording.failure = failure if recording.status == FAILED else ""

    def _keep_cut(self, session: Session, recording: Recording, cut: list[dict[str, Any]]) -> None:
        recording.is_cut = True
        for said in cut:
            row = SpokenUtterance(
                recording_id=recording.id, start=said["start"], end=said["end"], transcript=said["text"],
                speaker=said["speaker"], content={"words": said["words"]},
            )  # fmt: skip
            session.add(row)
            session.flush()
            self.ids.append(row.id)
            self.spans.append(span_of(row))

    def _keep_scores(self, session: Session, index: int, said: dict[str, Any]) -> None:
        row = session.get(SpokenUtterance, self.ids[index])
        scored = self.spans[index]
        if row is None or (row.start, row.end, row.transcript) != (scored.start, scored.end, scored.text):
            return  # it was corrected meanwhile
        for name in ("sentiment", "confidence", "agreement"):
            setattr(row, name, said[name])
        row.content = {name: value for name, value in said.items() if name not in _IN_COLUMNS}
        row.is_stale = False


class PreviewWork:
    """Make a copy that browsers play."""

    def __init__(self, session: Session, job: Job, workspace: Workspace) -> None:
        """Name both files."""
        recording = _recording(session, job)
        self.recording_id = recording.id
        self.task = PreviewTask(
            workspace.work / f"{job.id}.jsonl",
            workspace.media(recording.key, recording.suffix),
            workspace.preview(recording.key),
        )

    def hear(self, session: Session, found: dict[str, Any]) -> None:
        """Note that the copy is there."""
        recording = session.get(Recording, self.recording_id)
        if recording is not None:
            recording.has_preview = True

    def finish(self, session: Session, state: str, failure: str) -> None:
        """Leave the recording as it is."""


def span_of(utterance: SpokenUtterance) -> Span:
    """Give what a worker needs to score an utterance."""
    words = [Word(**word) for word in utterance.content.get("words", ())]
    return Span(utterance.start, utterance.end, utterance.transcript, words, utterance.speaker)


def prediction_of(utterance: SpokenUtterance) -> UtterancePrediction:
    """Give an utterance's scores as everything else knows them."""
    return UtterancePrediction.from_dict(
        {**utterance.content, **{name: getattr(utterance, name) for name in _IN_COLUMNS}}
    )


def _recording(session: Session, job: Job) -> Recording:
    recording = session.get(Recording, job.recording_id)
    if recording is None:
        raise LookupError(f"job {job.id} has no recording")
    return recording
