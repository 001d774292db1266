"""The server of the workbench: from options to pages that answer."""

import contextlib
import os
import signal
import socket
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from ipaddress import ip_address
from pathlib import Path
from types import FrameType

import uvicorn
from fastapi import FastAPI

from imlcmm.errors import ImlcmmError
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.jobs.workers import Limits
from imlcmm.serve.app import make_app
from imlcmm.serve.bench import ServeOptions
from imlcmm.serve.guard.hosts import LOOPBACK
from imlcmm.serve.state.workspace import Workspace

_GRACE = 2
_MOST_CONNECTIONS = 1000
TOKEN_VARIABLE = "IMLCMM_TOKEN"


def serve(
    folder: Path,
    *,
    host: str,
    port: int,
    allow_hosts: Sequence[str],
    open_browser: bool,
    extractor: ExtractorOptions,
    options: ServeOptions,
    workers: int,
    limits: Limits,
    say: Callable[[str], None],
) -> None:
    """Serve a workspace until it is interrupted.

    Args:
        folder: The workspace.
        host: Address to listen at; all but loopback ask for a token.
        port: Port to listen at; 0 takes any that is free.
        allow_hosts: Further names by which the server may be called.
        open_browser: Whether to show the library in a browser.
        extractor: What to extract with.
        options: What may be asked for.
        workers: Recordings scored at a time.
        limits: Time and memory of scoring one recording.
        say: Is told where the pages are.

    Raises:
        ImlcmmError: If the workspace, the address or the port cannot be used.
    """
    workspace = Workspace(folder.absolute())
    workspace.make()
    with workspace.held(), _listening(host, port) as listener:
        token = os.environ.get(TOKEN_VARIABLE) or (None if is_loopback(host) else workspace.token())
        app = make_app(
            workspace, extractor=extractor, options=options, limits=limits, workers=workers, token=token,
            hosts=(*LOOPBACK, host, *allow_hosts),
        )  # fmt: skip
        port = listener.getsockname()[1]
        url = f"http://{_called(host)}:{port}/"
        config = uvicorn.Config(
            app, log_level="warning", timeout_graceful_shutdown=_GRACE, limit_concurrency=_MOST_CONNECTIONS,
            server_header=False, proxy_headers=False, ws="none",
        )  # fmt: skip
        server = _Server(config, app, lambda: _tell(url, workspace, token, open_browser, say))
        # Ctrl-C, or a supervisor's SIGTERM, is how it ends: uvicorn raises both again when it has shut down.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


def is_loopback(host: str) -> bool:
    """Tell whether an address is reached from this machine alone."""
    with contextlib.suppress(ValueError):
        return ip_address(host.strip("[]")).is_loopback
    return host == "localhost"


class _Server(uvicorn.Server):
    """Say when the pages answer, and let those who listen to events go before the end."""

    def __init__(self, config: uvicorn.Config, app: FastAPI, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.hub, self.ready = app.state.bench.hub, ready

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        self.hub.close()
        super().handle_exit(sig, frame)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self.ready()


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """Open the port before anything else is done, so that one that is taken is told at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ImlcmmError(f"{host}:{port} cannot be served ({reason}); try --port 0, which takes a free one") from error
    with listener:
        yield listener


def _called(host: str) -> str:
    """Give the name by which this machine calls an address."""
    if host in ("0.0.0.0", "::"):
        return "127.0.0.1"
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _tell(url: str, workspace: Workspace, token: str | None, open_browser: bool, say: Callable[[str], None]) -> None:
    say(f"{url} shows the workbench of {workspace.folder}; Ctrl-C ends it")
    if token is not None and TOKEN_VARIABLE not in os.environ:
        say(f"the token that it asks for lies in {workspace.folder / 'token'}")
    if open_browser:
        threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
