"""The workbench as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import APIRouter, FastAPI
from sqlalchemy import event
from sqlalchemy.orm import Session

from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.jobs.workers import Limits as JobLimits
from imlcmm.serve.api import comparison, jobs, labels, recordings, runs, schemas, uploads, utterances
from imlcmm.serve.api.errors import answer_errors
from imlcmm.serve.arrivals import Arrivals
from imlcmm.serve.bench import Bench, ServeOptions
from imlcmm.serve.events import Hub
from imlcmm.serve.guard.headers import SafeHeaders
from imlcmm.serve.guard.hosts import HostsAndOrigins
from imlcmm.serve.guard.limits import Limits
from imlcmm.serve.guard.tokens import Token
from imlcmm.serve.jobs.queue import NEW_JOBS
from imlcmm.serve.jobs.runner import Runner
from imlcmm.serve.state.database import open_database, sessions
from imlcmm.serve.state.workspace import Workspace
from imlcmm.serve.web import pages

PREFIX = "/api/v1"


def make_app(
    workspace: Workspace,
    *,
    extractor: ExtractorOptions,
    options: ServeOptions,
    limits: JobLimits,
    workers: int,
    token: str | None,
    hosts: tuple[str, ...],
) -> FastAPI:
    """Make the application; its jobs begin with the server and end with it.

    Args:
        workspace: Where everything lies; it is made.
        extractor: What to extract with.
        options: What may be asked for.
        limits: Time and memory of scoring one recording.
        workers: Recordings scored at a time.
        token: What a request must carry; None where only this machine is served.
        hosts: Names by which the server may be called.

    Raises:
        ImlcmmError: If the workspace or its database cannot be used.
    """
    workspace.make()
    engine = open_database(workspace.database)
    opening, hub = sessions(engine), Hub()
    arrivals = Arrivals(workspace, opening)
    runner = Runner(workspace, opening, hub, extractor, workers=workers, limits=limits)

    @event.listens_for(opening, "after_commit")
    def wake(session: Session) -> None:
        if session.info.pop(NEW_JOBS, False):
            runner.wake()

    @asynccontextmanager
    async def running(app: FastAPI) -> AsyncIterator[None]:
        hub.attach()
        arrivals.recover()
        runner.start()
        yield
        runner.stop()
        engine.dispose()

    app = FastAPI(
        title="imlcmm workbench",
        description="Multimodal sentiment of recordings: upload, score, correct, label, train, compare.",
        version=version("imlcmm"),
        lifespan=running,
        openapi_url=f"{PREFIX}/openapi.json",
        docs_url=None,  # those pages load scripts from elsewhere; ours is /api
        redoc_url=None,
        responses={"4XX": {"model": schemas.Failure}},
    )
    app.state.bench = Bench(workspace, opening, hub, runner, arrivals, options, token)
    api = APIRouter(prefix=PREFIX)
    for part in (jobs, uploads, recordings, utterances, labels, runs, comparison):
        api.include_router(part.router)
    app.include_router(api)
    pages.add_pages(app)
    answer_errors(app)
    # The last one added is the first to see a request.
    app.add_middleware(Token, token=token)
    app.add_middleware(HostsAndOrigins, hosts=hosts)
    app.add_middleware(Limits, rate=options.rate)
    app.add_middleware(SafeHeaders)
    return app
