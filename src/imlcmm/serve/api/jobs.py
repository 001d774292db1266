"""Jobs, and what happens while they run."""

import json
import shutil
from collections.abc import AsyncIterator
from importlib.metadata import version
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy import func, select
from sse_starlette import EventSourceResponse

from imlcmm.serve.api import schemas
from imlcmm.serve.api.errors import found, refuse
from imlcmm.serve.bench import Bench, TheBench, TheSession
from imlcmm.serve.jobs.runner import describe_job
from imlcmm.serve.state.database import setting
from imlcmm.serve.state.tables import RUNNING, WAITING, Job, Recording

router = APIRouter(tags=["jobs"])

_SHOWN = 20


@router.get("/status")
def status(bench: TheBench, session: TheSession) -> schemas.ServerStatus:
    """Tell what the server is doing."""
    counts = session.execute(select(Recording.status, func.count()).group_by(Recording.status))
    active = session.scalars(
        select(Job).where(Job.state.in_((RUNNING, WAITING))).order_by(Job.state, Job.id).limit(_SHOWN)
    )
    return schemas.ServerStatus(
        version=version("imlcmm"),
        model=setting(session, "model"),
        recordings={name: count for name, count in counts},
        jobs=[job_view(job, bench) for job in active],
        free_gigabytes=round(shutil.disk_usage(bench.workspace.folder).free / 1e9, 2),
        largest_upload=bench.options.largest_upload,
    )


@router.get("/jobs")
def list_jobs(
    bench: TheBench, session: TheSession, limit: Annotated[int, Query(ge=1, le=500)] = 50
) -> list[schemas.JobResult]:
    """List the last jobs, the newest first."""
    return [job_view(job, bench) for job in session.scalars(select(Job).order_by(Job.id.desc()).limit(limit))]


@router.get("/jobs/{number}")
def get_job(number: int, bench: TheBench, session: TheSession) -> schemas.JobResult:
    """Give a job, and what it found."""
    return job_view(found(session.get(Job, number), f"there is no job {number}; it may be forgotten"), bench)


@router.post("/jobs/{number}/cancel")
def cancel_job(number: int, bench: TheBench) -> schemas.JobResult:
    """Stop a job, or take it out of those that wait; a training can be resumed."""
    if not bench.runner.cancel(number):
        refuse(409, f"job {number} neither waits nor runs")
    with bench.sessions() as session:
        return get_job(number, bench, session)


@router.get("/events", response_class=EventSourceResponse)
async def events(bench: TheBench) -> EventSourceResponse:
    """Tell what happens as server-sent events: `job` with a job, `heard` with numbers of what has news, `reload`."""

    async def told() -> AsyncIterator[dict[str, str]]:
        async for event in bench.hub.listen():
            yield {"event": event["event"], "data": json.dumps({k: v for k, v in event.items() if k != "event"})}

    return EventSourceResponse(told(), ping=15)


def job_view(job: Job, bench: Bench) -> schemas.JobResult:
    """Give a job as the API does."""
    found = job.payload.get("found")
    return schemas.JobResult(**describe_job(job, bench.runner.progress.get(job.id)), found=found)
