"""By which names the server may be called, and from whose pages: against DNS rebinding and forged requests."""

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_SAFE = {"GET", "HEAD", "OPTIONS"}


class HostsAndOrigins:
    """Answer only requests to a known name that do not come from another site's page.

    A page of another site that gets its own name to lead here (DNS rebinding) sends that name as Host; one that sends a
    form here (CSRF) names itself as Origin, or the browser says by Sec-Fetch-Site that it is another site.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        """Take the names, without ports."""
        self.app, self.hosts = app, {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope), scope["method"])
            if refusal:
                await JSONResponse({"error": refusal}, 403)(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _refusal(self, headers: Headers, method: str) -> str | None:
        host = headers.get("host", "")
        if len(headers.getlist("host")) != 1 or _name(f"//{host}") not in self.hosts:
            return "this server is not called by that name; start it with --allow_hosts NAME if it should be"
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return "the request comes from a page of another site"
        if method not in _SAFE and site not in ("none", "same-origin"):
            return "the request comes from a page of another site"
        return None


def _name(address: str) -> str:
    """Give the name of an address in lower case, IPv6 in brackets; nothing where there is none."""
    try:
        name = urlsplit(address).hostname or ""
    except ValueError:
        return ""
    return f"[{name}]" if ":" in name else name
