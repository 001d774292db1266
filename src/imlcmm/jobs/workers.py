"""Processes with a time and a memory limit for each job, so that what goes wrong in one job costs that job."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any, NamedTuple

import psutil
from tqdm import tqdm

from imlcmm.errors import ImlcmmError
from imlcmm.progress import tell_warnings

Tell = Callable[[float], None]
"""Tells how far a job has come."""
Prepare = Callable[..., Callable[[Any, Tell], None]]
"""Makes, in a process, the function that does a job and may tell how far it has come."""
_TICK = 0.2
_READY = "ready"


class Limits(NamedTuple):
    """What a job may use.

    Attributes:
        seconds: Wall-clock time, from the start or from when it last told that it has come further.
        gigabytes: Resident memory of its process.
    """

    seconds: float
    gigabytes: float


USUAL_LIMITS = Limits(seconds=600.0, gigabytes=6.0)


class Outcome(NamedTuple):
    """How a job ended.

    Attributes:
        job: The job.
        failure: Why it failed, in one line; None if it did not.
    """

    job: Any
    failure: str | None


def run_limited(
    jobs: Iterable[Any],
    prepare: Prepare,
    arguments: Sequence[Any] = (),
    *,
    workers: int,
    limits: Limits,
    told: Callable[[Any, float], None] | None = None,
) -> Iterator[Outcome]:
    """Run jobs in processes of their own, and give each outcome as soon as it is there, in any order.

    Args:
        jobs: What to do; jobs must be picklable.
        prepare: Called with `arguments` once in each process; gives the function that does a job.
        arguments: Arguments of `prepare`.
        workers: Number of processes; 0 does everything in this one, without limits.
        limits: What each job may use before its process is killed.
        told: Is called with a job and how far it has come, when the job tells, from any thread.

    Raises:
        ImlcmmError: If a process cannot be prepared, with the reason.
    """
    waiting = list(jobs)
    if workers == 0:
        do = prepare(*arguments)
        yield from (Outcome(job, _attempt(do, job, partial(told, job) if told else _ignore)) for job in waiting)
        return
    processes = [LimitedProcess(prepare, arguments, limits) for _ in range(min(workers, len(waiting)))]
    free: SimpleQueue[LimitedProcess] = SimpleQueue()
    for process in processes:
        free.put(process)

    def hand_out(job: Any) -> Outcome:
        process = free.get()
        try:
            return Outcome(job, process.do(job, partial(told, job) if told else None))
        finally:
            free.put(process)

    with ThreadPoolExecutor(max(1, len(processes))) as threads:
        try:
            for done in as_completed([threads.submit(hand_out, job) for job in waiting]):
                yield done.result()
        finally:
            threads.shutdown(wait=False, cancel_futures=True)
            for process in processes:
                process.end()


class LimitedProcess:
    """A process that does one job after the other; it is killed when a job exceeds its limits, and replaced."""

    def __init__(self, prepare: Prepare, arguments: Sequence[Any], limits: Limits) -> None:
        """Take what `run_limited` takes; the process starts with the first job."""
        self.prepare, self.arguments, self.limits = prepare, arguments, limits
        self.process: Any = None
        self._starting, self._ended = threading.Lock(), False

    def do(self, job: Any, told: Tell | None = None) -> str | None:
        """Do a job, and tell why it failed; None if it did not.

        Raises:
            ImlcmmError: If the process cannot be prepared, with the reason, or was ended for good.
        """
        if self.process is None or not self.process.is_alive():
            self._start()
        try:
            self.connection.send(job)
            began = time.monotonic()
            while True:
                if self.connection.poll(_TICK):
                    message: str | float | None = self.connection.recv()
                    if not isinstance(message, float):
                        return message
                    began = time.monotonic()
                    if told is not None:
                        told(message)
                failure = self._excess(time.monotonic() - began)
                if failure:
                    self.kill()
                    return failure
        except (EOFError, ConnectionError):
            self.process.join()
            return f"its process ended with code {self.process.exitcode}"

    def kill(self) -> None:
        """End the process at once; what it was writing lies beside its final place."""
        if self.process is not None:
            self.process.kill()
            self.process.join()

    def end(self) -> None:
        """End the process for good: no thread that has a job for it starts it again."""
        with self._starting:
            self._ended = True
        self.kill()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share the threads of PyTorch and PyAV
        self.connection, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self.prepare, *self.arguments), daemon=True)
        with self._starting:
            if self._ended:
                raise ImlcmmError("its worker process was ended")
            process.start()
            self.process = process  # not earlier: another thread may want to kill it, which needs that it has begun
        theirs.close()
        try:
            message = self.connection.recv()
        except (EOFError, ConnectionError):
            self.process.join()
            message = f"a worker process ended with code {self.process.exitcode} before it began"
        if message != _READY:
            raise ImlcmmError(message)

    def _excess(self, seconds: float) -> str | None:
        """Tell which limit is exceeded."""
        if seconds > self.limits.seconds:
            return f"it took more than {self.limits.seconds:g} s; raise --time_limit"
        try:
            used = psutil.Process(self.process.pid).memory_info().rss / 2**30
        except psutil.NoSuchProcess:
            return None  # the pipe tells of its end
        if used > self.limits.gigabytes:
            return f"it used more than {self.limits.gigabytes:g} GiB; raise --memory_limit"
        return None


def _serve(connection: Connection, prepare: Prepare, *arguments: Any) -> None:
    """Do jobs until the pipe closes."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    tqdm.set_lock(threading.RLock())  # or its lock among processes outlives this one, which is killed, and is told of
    tell_warnings()
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
        connection.send(_attempt(do, job, lambda reached: connection.send(float(reached))))


def _attempt(do: Callable[[Any, Tell], None], job: Any, tell: Tell) -> str | None:
    """Do a job, and tell why it failed; None if it did not."""
    try:
        do(job, tell)
    except ImlcmmError as error:
        return str(error)
    except Exception as error:  # a clip may break anything; the others go on
        return f"{type(error).__name__}: {error}".replace("\n", " ")
    return None


def _ignore(_: float) -> None:
    """Hear how far a job has come where nobody asks."""


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, killed perhaps: nobody waits for its job any more."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
