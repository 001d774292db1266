"""The token that a shared server asks for: as a bearer token, or after a login as a cookie."""

import hashlib
import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

COOKIE = "imlcmm"
_OPEN = ("/login", "/static/", "/healthz")
_MONTH = 30 * 86400


class Token:
    """Answer only those who know the token; pages lead to the login, the API answers 401."""

    def __init__(self, app: ASGIApp, token: str | None) -> None:
        """Take the token; None lets everybody pass."""
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] == "http" and self.token is not None and not scope["path"].startswith(_OPEN):
            headers = Headers(scope=scope)
            if not (_bears(headers, self.token) or _has_cookie(headers, self.token)):
                await _refusal(scope)(scope, receive, send)
                return
        await self.app(scope, receive, send)


def knows(given: str, token: str) -> bool:
    """Compare in a time that does not tell how much was right."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), token.encode())


def log_in(response: Response, token: str, *, secure: bool) -> None:
    """Give the browser a cookie, of which the token cannot be computed and which no other site's page sends."""
    response.set_cookie(COOKIE, _cookie(token), max_age=_MONTH, httponly=True, samesite="strict", secure=secure)


def _cookie(token: str) -> str:
    return hmac.new(token.encode(), b"imlcmm cookie", hashlib.sha256).hexdigest()


def _bears(headers: Headers, token: str) -> bool:
    scheme, _, given = headers.get("authorization", "").partition(" ")
    return scheme.lower() == "bearer" and knows(given.strip(), token)


def _has_cookie(headers: Headers, token: str) -> bool:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return False
    return cookie is not None and knows(cookie.value, _cookie(token))


def _refusal(scope: Scope) -> Response:
    if scope["path"].startswith("/api/") or scope["method"] not in ("GET", "HEAD"):
        error = "this server asks for its token: Authorization: Bearer TOKEN"
        return JSONResponse({"error": error}, 401, {"WWW-Authenticate": "Bearer"})
    return RedirectResponse(f"/login?to={quote(scope['path'])}", 303)
