"""The workbench that a server serves: its workspace, database, jobs and limits, at hand in every request."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.orm import Session, sessionmaker

from imlcmm.serve.arrivals import Arrivals
from imlcmm.serve.events import Hub
from imlcmm.serve.jobs.runner import Runner
from imlcmm.serve.state.workspace import Workspace


@dataclass(frozen=True)
class ServeOptions:
    """What one server may be asked for.

    Attributes:
        largest_upload: Gigabytes of a recording.
        most_recordings: Recordings of the workspace.
        rate: Requests a second of one address.
    """

    largest_upload: float = 8.0
    most_recordings: int = 100_000
    rate: int = 300


@dataclass(frozen=True)
class Bench:
    """A workbench.

    Attributes:
        workspace: Where everything lies.
        sessions: Opens sessions of the database.
        hub: Tells pages what happens.
        runner: Does the jobs.
        arrivals: Takes files in.
        options: What may be asked for.
        token: What a request must carry; None where only this machine is served.
    """

    workspace: Workspace
    sessions: sessionmaker[Session]
    hub: Hub
    runner: Runner
    arrivals: Arrivals
    options: ServeOptions
    token: str | None


def bench_of(request: Request) -> Bench:
    """Give the workbench."""
    bench: Bench = request.app.state.bench
    return bench


def session_of(request: Request) -> Iterator[Session]:
    """Give a session; what was changed is kept if the request goes well."""
    with bench_of(request).sessions.begin() as session:
        yield session


TheBench = Annotated[Bench, Depends(bench_of)]
TheSession = Annotated[Session, Depends(session_of, scope="function")]
"""Committed before the answer is sent, so that an answer of success is one."""
