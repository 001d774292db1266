"""What every kind of job has: a task for a worker, and what becomes of the worker's findings."""

from typing import Any, Protocol, runtime_checkable

from sqlalchemy.orm import Session

from imlcmm.serve.work.tasks import Task


@runtime_checkable
class Work(Protocol):
    """A job that runs."""

    @property
    def task(self) -> Task:
        """What the worker does."""
        ...

    @property
    def recording_id(self) -> int | None:
        """The recording that it is about, if there is one."""
        ...

    def hear(self, session: Session, found: dict[str, Any]) -> None:
        """Keep what the worker found."""
        ...

    def finish(self, session: Session, state: str, failure: str) -> None:
        """Keep how it ended: `done`, `failed` or `cancelled`, and why it failed."""
        ...
