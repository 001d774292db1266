"""Refusals of the API: one line each, as JSON."""

import logging
from collections.abc import Callable
from typing import NoReturn, TypeVar

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException as StarletteHTTPException

from imlcmm.errors import ImlcmmError, reason_of
from imlcmm.files import is_full

_log = logging.getLogger(__name__)

Row = TypeVar("Row")

FULL = "the disk is full: free some space and try again; nothing that was there is lost"


def refuse(status: int, error: str) -> NoReturn:
    """Refuse a request.

    Raises:
        HTTPException: Always.
    """
    raise HTTPException(status, error)


def found(row: Row | None, missing: str) -> Row:
    """Give what a look-up found.

    Raises:
        HTTPException: If that is nothing, with what is missing.
    """
    if row is None:
        refuse(404, missing)
    return row


def answer_errors(app: FastAPI) -> None:
    """Answer every error by one line."""
    handlers: dict[type[Exception], Callable[[Request, Exception], JSONResponse]] = {
        StarletteHTTPException: _http,
        RequestValidationError: _validation,
        ImlcmmError: _ours,
        OSError: _system,
        OperationalError: _database,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def _http(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, StarletteHTTPException)
    return _line(error.status_code, str(error.detail), dict(error.headers or {}))


def _validation(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    return _line(422, f"{place or 'the request'}: {first['msg'][:200]}")


def _ours(_: Request, error: Exception) -> JSONResponse:
    return _line(400, str(error))


def _system(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, OSError)
    if is_full(error):
        return _line(507, FULL)
    _log.warning("a file cannot be used: %s", error)
    return _line(500, f"a file of the workspace cannot be used ({error.strerror}); see the server's messages")


def _database(_: Request, error: Exception) -> JSONResponse:
    if "full" in str(error):
        return _line(507, FULL)
    _log.warning("the database cannot be used: %s", reason_of(error))
    return _line(503, "the database cannot be used right now; try again")


def _line(status: int, error: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": error}, status, headers)
