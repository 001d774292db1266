"""The pages: frames that their scripts fill from the API, so that everything shown is one thing said once."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

from fastapi import APIRouter, FastAPI, Form, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from imlcmm.features.media.formats import MEDIA
from imlcmm.features.subtitles.transcripts import SUFFIXES
from imlcmm.serve.api.recordings import find_recording
from imlcmm.serve.bench import TheBench, TheSession
from imlcmm.serve.guard.tokens import knows, log_in

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

_HERE = Path(__file__).parent
_TEMPLATES = Environment(
    loader=PackageLoader("imlcmm", "serve/web/templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_NAV = {"/": "Library", "/label": "Label", "/train": "Train", "/compare": "Compare", "/api": "API"}


class _Fresh(StaticFiles):
    """Let browsers ask each time whether a file has changed, which costs nothing here."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Give a file."""
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


def add_pages(app: FastAPI) -> None:
    """Add the pages, and what they need, to the application."""
    app.include_router(router)
    app.mount("/static", _Fresh(directory=_HERE / "static"), name="static")


@router.get("/")
def library() -> HTMLResponse:
    """Show the library."""
    return _page("library", "/", title="Library", media=" ".join(MEDIA), subtitles=" ".join(SUFFIXES))


@router.get("/recordings/{number}")
def recording(number: int, session: TheSession) -> HTMLResponse:
    """Show a recording."""
    try:
        row = find_recording(session, number)
    except HTTPException as error:
        return _page("missing", "/", title="Not found", detail=str(error.detail), status=404)
    return _page("recording", "/", title=row.name, number=number)


@router.get("/label")
def label() -> HTMLResponse:
    """Show where utterances are labelled."""
    return _page("label", "/label", title="Label")


@router.get("/train")
def train() -> HTMLResponse:
    """Show data sets and runs."""
    return _page("train", "/train", title="Train")


@router.get("/compare")
def compare() -> HTMLResponse:
    """Show two sides of the library beside each other."""
    return _page("compare", "/compare", title="Compare")


@router.get("/api")
def api(request: Request, bench: TheBench) -> HTMLResponse:
    """Show what the API can, with a line for curl each."""
    paths = request.app.openapi()["paths"]
    calls = [
        {
            "method": method.upper(),
            "path": path,
            "tag": call["tags"][0],
            "says": call.get("description", "").partition("\n")[0],
        }
        for path, methods in paths.items()
        for method, call in methods.items()
    ]
    return _page(
        "api",
        "/api",
        title="API",
        calls=calls,
        base=str(request.base_url).rstrip("/"),
        asks_token=bench.token is not None,
    )


@router.get("/login")
def login(to: str = "/") -> HTMLResponse:
    """Ask for the token."""
    return _page("login", "", title="Log in", to=_own_path(to), wrong=False)


@router.post("/login")
def check_token(request: Request, bench: TheBench, token: str = Form(max_length=500), to: str = Form("/")) -> Response:
    """Let those in who know the token."""
    if bench.token is None or not knows(token.strip(), bench.token):
        return _page("login", "", title="Log in", to=_own_path(to), wrong=True, status=403)
    response = RedirectResponse(_own_path(to), 303)
    log_in(response, bench.token, secure=request.url.scheme == "https")
    return response


@router.get("/healthz")
def health() -> PlainTextResponse:
    """Tell a container's supervisor that the server answers."""
    return PlainTextResponse("ok\n")


def _own_path(to: str) -> str:
    """Give a path on this server to go to, whatever was asked for."""
    return to if to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable() else "/"


def _page(name: str, here: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    template = _TEMPLATES.get_template(f"{name}.html.jinja")
    page = template.render(nav=_NAV, here=here, version=version("imlcmm"), page=name, **values)
    return HTMLResponse(page, status, {"Cache-Control": "no-store"})
