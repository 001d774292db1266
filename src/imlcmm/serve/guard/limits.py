"""How often an address may ask, and how much it may send in a request that is no upload."""

from limits import RateLimitItemPerMinute, RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOGINS = RateLimitItemPerMinute(10)
_LARGEST = 1 << 20
_UPLOADS, _TRANSCRIPT = "/api/v1/uploads/", "/transcript"
"""Whose bodies are streamed, and have limits of their own."""


class Limits:
    """Refuse what is too often (429) or too large (413)."""

    def __init__(self, app: ASGIApp, rate: int) -> None:
        """Take the requests a second that one address may send."""
        self.app = app
        self.each, self.limiter = RateLimitItemPerSecond(rate), FixedWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = (scope.get("client") or ("",))[0]
        tries_token = scope["path"] == "/login" and scope["method"] == "POST"
        if not self.limiter.hit(self.each, address) or (
            tries_token and not self.limiter.hit(_LOGINS, "login", address)
        ):
            after = {"Retry-After": "60" if tries_token else "1"}
            await JSONResponse({"error": "too many requests; wait a moment"}, 429, after)(scope, receive, send)
            return
        if not (scope["path"].startswith(_UPLOADS) or scope["path"].endswith(_TRANSCRIPT)):
            length = Headers(scope=scope).get("content-length", "0")
            if not length.isascii() or not length.isdigit() or int(length) > _LARGEST:
                await _too_large()(scope, receive, send)
                return
            receive = _counted(receive)
        await self.app(scope, receive, send)


def _counted(receive: Receive) -> Receive:
    """Cut off a body that is longer than it says."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        return {"type": "http.disconnect"} if taken > _LARGEST else message

    return counted


def _too_large() -> JSONResponse:
    return JSONResponse({"error": f"a request has {_LARGEST >> 20} MB at most"}, 413)
