"""Jobs on data sets and runs: training, comparing, making data sets, and adopting a run."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from imlcmm.serve.jobs.labelled import labelled_clips
from imlcmm.serve.jobs.queue import score_anew
from imlcmm.serve.state.database import choose
from imlcmm.serve.state.tables import Job, Recording
from imlcmm.serve.state.workspace import Workspace
from imlcmm.serve.work.tasks import AdoptTask, DatasetTask, EvaluateTask, SimulateTask, Task, TrainTask


class ModelWork:
    """A job whose finding is kept with the job."""

    recording_id = None

    def __init__(self, session: Session, job: Job, workspace: Workspace) -> None:
        """Make the task."""
        self.job_id = job.id
        self.task = _TASKS[job.kind](session, job, workspace)

    def hear(self, session: Session, found: dict[str, Any]) -> None:
        """Keep what was found for those who look the job up; an adopted run scores from now on."""
        job = session.get(Job, self.job_id)
        if job is None:
            return
        if found["what"] == "adopted":
            choose(session, "model", job.subject)
            if job.payload.get("rescore"):
                score_anew(session, session.scalars(select(Recording)))
        job.payload = {**job.payload, "found": found}
        job.message = found.get("summary", "")

    def finish(self, session: Session, state: str, failure: str) -> None:
        """Leave the rest to the job's own row."""


def _train(_: Session, job: Job, workspace: Workspace) -> Task:
    how = job.payload
    return TrainTask(
        _out(job, workspace), workspace.datasets / how["data"], how["model"], how["seeds"], how["epochs"],
        workspace.runs / job.subject,
    )  # fmt: skip


def _evaluate(_: Session, job: Job, workspace: Workspace) -> Task:
    runs = [workspace.runs / name for name in job.payload["runs"]]
    return EvaluateTask(_out(job, workspace), workspace.datasets / job.subject, runs, job.payload["split"])


def _adopt(_: Session, job: Job, workspace: Workspace) -> Task:
    return AdoptTask(_out(job, workspace), workspace.runs / job.subject if job.subject else None)


def _simulate(_: Session, job: Job, workspace: Workspace) -> Task:
    return SimulateTask(_out(job, workspace), workspace.datasets / job.subject)


def _dataset(session: Session, job: Job, workspace: Workspace) -> Task:
    clips = labelled_clips(session, workspace)
    sources = workspace.folder / "labelled" / job.subject
    return DatasetTask(_out(job, workspace), sources, workspace.datasets / job.subject, "simsv2", clips)


def _out(job: Job, workspace: Workspace) -> Any:
    return workspace.work / f"{job.id}.jsonl"


_TASKS = {"train": _train, "evaluate": _evaluate, "adopt": _adopt, "simulate": _simulate, "dataset": _dataset}
