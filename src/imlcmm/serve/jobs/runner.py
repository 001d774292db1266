"""What runs the jobs: a few lanes, each with a worker process of its own that has limits."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from imlcmm.errors import ImlcmmError, reason_of
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.jobs.workers import LimitedProcess, Limits
from imlcmm.serve.events import Hub
from imlcmm.serve.jobs.models import ModelWork
from imlcmm.serve.jobs.queue import next_job, take_up_again
from imlcmm.serve.jobs.recordings import PreviewWork, ScoreWork
from imlcmm.serve.jobs.work import Work
from imlcmm.serve.state.tables import CANCELLED, DONE, FAILED, RUNNING, WAITING, Job, Recording
from imlcmm.serve.state.workspace import Workspace
from imlcmm.serve.work.handover import Heard
from imlcmm.serve.work.worker import prepare

_log = logging.getLogger(__name__)

WORKS: dict[str, Callable[[Session, Job, Workspace], Work]] = {
    "score": ScoreWork,
    "preview": PreviewWork,
    **dict.fromkeys(("train", "evaluate", "adopt", "simulate", "dataset"), ModelWork),
}
_TICK, _IDLE, _OFTEN = 1.0, 120.0, 0.3
_LONG = 7 * 24 * 3600.0


class Runner:
    """Runs jobs until it is stopped."""

    def __init__(
        self, workspace: Workspace, sessions: sessionmaker[Session], hub: Hub, options: ExtractorOptions,
        *, workers: int, limits: Limits,
    ) -> None:  # fmt: skip
        """Take what jobs need; `limits` are of scoring, whose recordings may be anybody's."""
        self.workspace, self.sessions, self.hub = workspace, sessions, hub
        patient = limits._replace(seconds=_LONG)  # an epoch may take hours
        lanes = [
            *[(("score",), limits)] * workers,
            (("train",), patient),
            (tuple(set(WORKS) - {"score", "train"}), patient),
        ]
        self._lanes = [_Lane(self, kinds, LimitedProcess(prepare, (options,), each)) for kinds, each in lanes]
        self.taking = threading.Lock()
        self.progress: dict[int, float] = {}
        self.work = threading.Condition()
        self.stopping = False

    def start(self) -> None:
        """Take up again what a stopped server left, and begin."""
        with self.sessions.begin() as session:
            take_up_again(session)
        for leftover in self.workspace.work.glob("*.jsonl"):
            leftover.unlink()
        for lane in self._lanes:
            lane.start()

    def stop(self) -> None:
        """End all workers; what they were doing waits for the next start."""
        self.stopping = True
        self.wake()
        for lane in self._lanes:
            lane.process.end()
        for lane in self._lanes:
            lane.join()

    def wake(self) -> None:
        """Look for new jobs at once."""
        with self.work:
            self.work.notify_all()

    def cancel(self, job_id: int) -> bool:
        """Stop a job, or take it out of those that wait; tell whether there was anything to stop."""
        with self.taking:  # no lane takes its next job meanwhile
            with self.sessions.begin() as session:
                job = session.get(Job, job_id)
                if job is None or job.state not in (WAITING, RUNNING):
                    return False
                if job.state == WAITING:
                    job.state, job.ended = CANCELLED, time.time()
                    recording = session.get(Recording, job.recording_id) if job.kind == "score" else None
                    if recording is not None and recording.status == WAITING:
                        recording.status = DONE if recording.is_cut else CANCELLED
            for lane in self._lanes:
                if lane.job_id == job_id:
                    lane.cancelled = True
                    lane.process.kill()
        self.tell(job_id)
        return True

    def tell(self, job_id: int) -> None:
        """Tell all pages of a job."""
        with self.sessions() as session:
            job = session.get(Job, job_id)
            if job is not None:
                self.hub.publish("job", job=describe_job(job, self.progress.get(job_id)))


def describe_job(job: Job, progress: float | None) -> dict[str, Any]:
    """Give what pages show of a job."""
    return {
        "id": job.id, "kind": job.kind, "subject": job.subject, "recording": job.recording_id, "state": job.state,
        "message": job.message, "progress": progress if job.state == RUNNING else None, "added": job.added,
        "ended": job.ended,
    }  # fmt: skip


class _Lane(threading.Thread):
    """A thread that does one job after the other in its worker."""

    def __init__(self, runner: Runner, kinds: tuple[str, ...], process: LimitedProcess) -> None:
        super().__init__(daemon=True, name=f"lane {'/'.join(kinds)}")
        self.runner, self.kinds, self.process = runner, kinds, process
        self.job_id: int | None = None
        self.cancelled = False

    def run(self) -> None:
        """Work until the runner stops; the worker is let go when it has had nothing to do for a while."""
        last = time.monotonic()
        while not self.runner.stopping:
            try:
                work = self._take()
                if work is not None:
                    self._do(work)
                    last = time.monotonic()
                    continue
            except SQLAlchemyError as error:  # a full disk: the lane waits until there is room
                _log.warning("the database cannot be written: %s", reason_of(error))
            if time.monotonic() - last > _IDLE:
                self.process.kill()
                last = time.monotonic()
            with self.runner.work:
                self.runner.work.wait(_TICK)

    def _take(self) -> Work | None:
        """Mark the next job as running, and make its task."""
        with self.runner.taking, self.runner.sessions.begin() as session:
            job = next_job(session, self.kinds)
            if job is None:
                return None
            self.job_id, self.cancelled = job.id, False
            job.state = RUNNING
            try:
                work = WORKS[job.kind](session, job, self.runner.workspace)
            except (ImlcmmError, LookupError, ValueError) as error:
                job.state, job.message, job.ended = FAILED, str(error), time.time()
                return None
            work.task.out.unlink(missing_ok=True)
            return work

    def _do(self, work: Work) -> None:
        job_id, runner = self.job_id, self.runner
        assert job_id is not None
        runner.tell(job_id)
        heard, said = Heard(work.task.out), [time.monotonic()]

        def told(progress: float) -> None:
            if self.cancelled:
                self.process.kill()
            runner.progress[job_id] = progress
            self._hear(work, heard)
            if time.monotonic() - said[0] > _OFTEN:
                said[0] = time.monotonic()
                runner.tell(job_id)

        try:
            failure = self.process.do(work.task, told)
            self._hear(work, heard)
        except ImlcmmError as error:
            failure = str(error)
        except (SQLAlchemyError, ValueError, LookupError) as error:
            self.process.kill()
            _log.warning("job %d: what was found cannot be kept: %s", job_id, reason_of(error))
            failure = "what was found cannot be kept; is the disk full? Free some space and score again"
        if not runner.stopping:
            self._finish(work, job_id, failure)
            work.task.out.unlink(missing_ok=True)

    def _hear(self, work: Work, heard: Heard) -> None:
        found = list(heard)
        if not found:
            return
        with self.runner.sessions.begin() as session:
            for each in found:
                work.hear(session, each)
        self.runner.hub.publish("heard", job=self.job_id, recording=work.recording_id)

    def _finish(self, work: Work, job_id: int, failure: str | None) -> None:
        """Keep how a job ended; where the disk is full, as soon as it has room again."""
        while not self.runner.stopping:
            try:
                self._keep_end(work, job_id, failure)
                break
            except SQLAlchemyError as error:
                _log.warning("the database cannot be written: %s", reason_of(error))
                time.sleep(_TICK)
        self.job_id = None
        self.runner.progress.pop(job_id, None)
        self.runner.tell(job_id)
        self.runner.hub.publish("heard", job=job_id, recording=work.recording_id)

    def _keep_end(self, work: Work, job_id: int, failure: str | None) -> None:
        state = CANCELLED if self.cancelled else DONE if failure is None else FAILED
        with self.runner.taking, self.runner.sessions.begin() as session:
            job = session.get(Job, job_id)
            if job is not None:
                message = _in_the_users_words(session, job, failure or "") if state == FAILED else job.message
                job.state, job.message, job.ended = state, message, time.time()
                work.finish(session, state, message if state == FAILED else "")


def _in_the_users_words(session: Session, job: Job, failure: str) -> str:
    """Put a recording's name where a message names its file in the workspace, which nobody knows."""
    recording = session.get(Recording, job.recording_id) if job.recording_id else None
    if recording is None:
        return failure
    words = [recording.name if "/media/" in word or "\\media\\" in word else word for word in failure.split(" ")]
    return " ".join(words)
