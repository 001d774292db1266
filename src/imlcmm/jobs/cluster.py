"""The jobs of `workers` on a Ray cluster: an actor for each worker guards a process on its own machine."""

import logging
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from imlcmm.errors import ImlcmmError, MissingPackageError, reason_of
from imlcmm.jobs.workers import LimitedProcess, Limits, Outcome, Prepare

_PATIENCE = 10.0


def run_on_cluster(
    jobs: Iterable[Any],
    prepare: Prepare,
    arguments: Sequence[Any] = (),
    *,
    address: str,
    workers: int,
    limits: Limits,
) -> Iterator[Outcome]:
    """Do what `run_limited` does on a Ray cluster, whose machines see the same files and have imlcmm installed.

    Args:
        jobs: What to do; jobs must be picklable.
        prepare: Called with `arguments` once in each process; gives the function that does a job.
        arguments: Arguments of `prepare`.
        address: HOST:PORT or ray://HOST:PORT of the cluster, auto for the one that this machine is in, local for a new
            one of this machine alone.
        workers: Number of actors; each waits for a free processor of the cluster.
        limits: What each job may use before its process is killed.

    Raises:
        MissingPackageError: If Ray is not installed.
        ImlcmmError: If the cluster cannot be reached, or a process cannot be prepared.
    """
    waiting = deque(jobs)
    running: dict[Any, tuple[Any, Any]] = {}

    def begin(actor: Any) -> None:
        if waiting:
            job = waiting.popleft()
            running[actor.do.remote(job)] = actor, job

    with _connected(address) as ray:
        guard = ray.remote(num_cpus=1)(LimitedProcess)
        for _ in range(min(workers, len(waiting))):
            begin(guard.remote(prepare, arguments, limits))
        while running:
            (done,), _ = ray.wait(list(running))
            actor, job = running.pop(done)
            try:
                yield Outcome(job, ray.get(done))
            except ray.exceptions.RayActorError as error:
                if error.actor_init_failed:
                    reason = str(error).strip().splitlines()[-1]
                    raise ImlcmmError(f"a worker cannot start; is imlcmm on all machines? {reason}") from error
                yield Outcome(job, "its machine left the cluster")
                actor = guard.remote(prepare, arguments, limits)
            except ray.exceptions.RayTaskError as error:
                raise ImlcmmError(str(error.cause)) from error
            begin(actor)


@contextmanager
def pool(here: Executor, ray: str | None) -> Iterator[Callable[..., Future[Any]]]:
    """Give what submits a call: to a cluster where an address is given, else to an executor on this machine.

    Raises:
        MissingPackageError: If Ray is needed and not installed.
        ImlcmmError: If the cluster cannot be reached.
    """
    if ray:
        with _cluster_pool(ray) as submit:
            yield submit
    else:
        with here:
            yield here.submit


@contextmanager
def _cluster_pool(address: str) -> Iterator[Callable[..., Future[Any]]]:
    """Give what submits a call to a Ray cluster, as an executor's `submit` does; each call takes one processor.

    A future raises ImlcmmError where its machine was lost; Ray tries each call three times more before.

    Args:
        address: As for `run_on_cluster`.

    Raises:
        MissingPackageError: If Ray is not installed.
        ImlcmmError: If the cluster cannot be reached.
    """
    with _connected(address) as ray:

        def submit(function: Callable[..., Any], *arguments: Any) -> Future[Any]:
            reply: Future[Any] = Future()

            def settle(done: Future[Any]) -> None:
                error = done.exception()
                if error is None:
                    reply.set_result(done.result())
                elif isinstance(error, ray.exceptions.RayTaskError):
                    reply.set_exception(ImlcmmError(str(error.cause)))
                else:
                    reply.set_exception(ImlcmmError("its machine left the cluster; the same command goes on"))

            ray.remote(num_cpus=1)(function).remote(*arguments).future().add_done_callback(settle)
            return reply

        yield submit


@contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Give Ray, connected to a cluster until the block ends."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would report to its makers
    try:
        import ray
    except ImportError as error:
        raise MissingPackageError("Ray is not installed; pip install 'imlcmm[ray]'") from error
    try:
        if ":" in address:
            host, _, port = address.removeprefix("ray://").rpartition(":")
            socket.create_connection((host, int(port)), _PATIENCE).close()  # Ray would try for ever
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (RuntimeError, ValueError, OSError) as error:
        raise ImlcmmError(
            f"the Ray cluster at {address} cannot be reached: {reason_of(error)}; see `ray status`"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()
