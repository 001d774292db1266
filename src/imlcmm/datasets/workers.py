"""Worker processes with a time and a memory limit for each job, so that what goes wrong in one job costs that job."""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

import psutil

from imlcmm.errors import ImlcmmError

Prepare = Callable[..., Callable[[Any], None]]
_TICK = 0.2
_READY = "ready"


class Limits(NamedTuple):
    """What a job may use.

    Attributes:
        seconds: Wall-clock time.
        gigabytes: Resident memory of its process.
    """

    seconds: float
    gigabytes: float


class Outcome(NamedTuple):
    """How a job ended.

    Attributes:
        job: The job.
        failure: Why it failed, in one line; None if it did not.
    """

    job: Any
    failure: str | None


def run_limited(
    jobs: Iterable[Any], prepare: Prepare, arguments: Sequence[Any] = (), *, workers: int, limits: Limits
) -> Iterator[Outcome]:
    """Run jobs in processes of their own, and give each outcome as soon as it is there, in any order.

    Args:
        jobs: What to do; jobs must be picklable.
        prepare: Called with `arguments` once in each process; gives the function that does a job.
        arguments: Arguments of `prepare`.
        workers: Number of processes.
        limits: What each job may use before its process is killed.

    Raises:
        ImlcmmError: If a process cannot be prepared, with the reason.
    """
    waiting = deque(jobs)
    pool = [_Worker(prepare, arguments) for _ in range(min(workers, len(waiting)))]
    try:
        while waiting or any(worker.busy for worker in pool):
            wait([worker.connection for worker in pool], timeout=_TICK)
            for place, worker in enumerate(pool):
                outcome = worker.outcome(limits)
                if outcome is not None:
                    yield outcome
                if not worker.alive:
                    worker.stop()
                    pool[place] = _Worker(prepare, arguments)
                elif worker.idle and waiting:
                    worker.begin(waiting.popleft())
    finally:
        for worker in pool:
            worker.stop()


class _Worker:
    """One process and the job it is at."""

    def __init__(self, prepare: Prepare, arguments: Sequence[Any]) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share the threads of PyTorch and PyAV
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, prepare, *arguments), daemon=True)
        self.process.start()
        theirs.close()
        self.ready = self.busy = False
        self.alive = True
        self.job: Any = None
        self.began = 0.0

    @property
    def idle(self) -> bool:
        return self.ready and not self.busy

    def begin(self, job: Any) -> None:
        """Hand a job over."""
        self.job, self.busy, self.began = job, True, time.monotonic()
        self.connection.send(job)

    def outcome(self, limits: Limits) -> Outcome | None:
        """Give the outcome of the job, if it has one by now."""
        try:
            if self.connection.poll():
                return self._heard(self.connection.recv())
        except (EOFError, ConnectionError):
            return self._died()
        if not self.busy:
            return None
        failure = self._over(limits)
        if failure is None:
            return None
        self.alive = self.busy = False
        return Outcome(self.job, failure)

    def stop(self) -> None:
        """End the process at once; what it was writing lies beside its final place."""
        self.process.kill()
        self.process.join()
        self.connection.close()

    def _heard(self, message: str | None) -> Outcome | None:
        if not self.ready:
            if message != _READY:
                raise ImlcmmError(message or "a worker process could not start")
            self.ready = True
            return None
        self.busy = False
        return Outcome(self.job, message)

    def _died(self) -> Outcome | None:
        self.process.join()
        if not self.ready:
            raise ImlcmmError(f"a worker process ended with code {self.process.exitcode} before it began")
        was_busy, self.alive, self.busy = self.busy, False, False
        return Outcome(self.job, f"its process ended with code {self.process.exitcode}") if was_busy else None

    def _over(self, limits: Limits) -> str | None:
        if time.monotonic() - self.began > limits.seconds:
            return f"it took more than {limits.seconds:g} s; raise --time_limit"
        try:
            used = psutil.Process(self.process.pid).memory_info().rss / 2**30
        except psutil.NoSuchProcess:
            return None  # the pipe tells of its end
        return f"it used more than {limits.gigabytes:g} GiB; raise --memory_limit" if used > limits.gigabytes else None


def _serve(connection: Connection, prepare: Prepare, *arguments: Any) -> None:
    """Do jobs until the pipe closes."""
    try:
        do = prepare(*arguments)
    except ImlcmmError as error:
        connection.send(str(error))
        return
    connection.send(_READY)
    while True:
        try:
            job = connection.recv()
        except EOFError:
            return
        try:
            do(job)
        except ImlcmmError as error:
            connection.send(str(error))
        except Exception as error:  # a clip may break anything; the others go on
            connection.send(f"{type(error).__name__}: {error}".replace("\n", " "))
        else:
            connection.send(None)
