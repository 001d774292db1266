"""Uploads in pieces that can be resumed, by the tus protocol 1.0.0 with creation, expiration and termination."""

import base64
import binascii
from contextlib import suppress
from typing import Annotated

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Header, Request, Response
from starlette.requests import ClientDisconnect

from imlcmm.errors import MediaError
from imlcmm.files import is_full
from imlcmm.serve.api.errors import FULL, found, refuse
from imlcmm.serve.arrivals import Arrivals
from imlcmm.serve.bench import TheBench
from imlcmm.serve.state.tables import Upload

_VERSION = "1.0.0"
_PIECE = 1 << 20
_LARGEST_PIECE = 64 << 20


def _versioned(response: Response, tus_resumable: Annotated[str, Header()] = _VERSION) -> None:
    if tus_resumable != _VERSION:
        refuse(412, f"the upload protocol is tus {_VERSION}")
    response.headers["Tus-Resumable"] = _VERSION


router = APIRouter(prefix="/uploads", tags=["uploads"], dependencies=[Depends(_versioned)])


@router.options("", status_code=204)
def options(bench: TheBench, response: Response) -> None:
    """Tell what the server can."""
    response.headers["Tus-Version"] = _VERSION
    response.headers["Tus-Extension"] = "creation,termination,expiration"
    response.headers["Tus-Max-Size"] = str(_largest(bench))


@router.post("", status_code=201)
def announce(
    bench: TheBench,
    request: Request,
    response: Response,
    upload_length: Annotated[int, Header(description="Bytes of the file.")],
    upload_metadata: Annotated[
        str, Header(description="In base64: filename, collection, and transcript: follows.", max_length=4096)
    ] = "",
) -> None:
    """Announce a file; the answer's Location takes its pieces."""
    told = _metadata(upload_metadata)
    name = told.get("filename", "recording")
    if upload_length <= 0:
        refuse(422, f"{name} is empty (0 bytes): copy it again")
    if upload_length > _largest(bench):
        refuse(413, f"{name} has {upload_length / 1e9:.1f} GB; up to {bench.options.largest_upload:g} GB are taken")
    if bench.arrivals.count() >= bench.options.most_recordings:
        refuse(409, f"the workspace holds {bench.options.most_recordings:,} recordings, which is its limit")
    upload = bench.arrivals.announce(
        name, told.get("collection", ""), upload_length, awaits_transcript=told.get("transcript") == "follows"
    )
    response.headers["Location"] = f"{request.url.path}/{upload.key}"


@router.head("/{key}")
def offset(key: str, bench: TheBench, response: Response) -> None:
    """Tell how much of a file is there."""
    upload = _find(bench, key)
    response.headers["Upload-Offset"] = str(bench.arrivals.arrived(upload))
    response.headers["Upload-Length"] = str(upload.size)
    response.headers["Cache-Control"] = "no-store"


@router.patch("/{key}", status_code=204)
async def append(
    key: str, bench: TheBench, request: Request, response: Response, upload_offset: Annotated[int, Header(ge=0)]
) -> None:
    """Take a piece; after the last, `Imlcmm-Recording` names the recording, `Imlcmm-Duplicate` tells of one known."""
    if request.headers.get("content-type") != "application/offset+octet-stream":
        refuse(415, "a piece is sent as application/offset+octet-stream")
    arrivals, upload = bench.arrivals, await run_sync(_find, bench, key)
    if key in arrivals.busy:
        refuse(423, f"{upload.name} is being sent by somebody else right now")
    arrivals.busy.add(key)
    try:
        at = await run_sync(arrivals.arrived, upload)
        if at != upload_offset:
            refuse(409, f"{at} bytes are there, not {upload_offset}; go on there")
        at = await _receive(request, arrivals, upload, at)
        response.headers["Upload-Offset"] = str(at)
        if at == upload.size:
            number, twice = await run_sync(_admit, arrivals, upload, limiter=arrivals.admitting)
            response.headers["Imlcmm-Recording"] = str(number)
            response.headers["Imlcmm-Duplicate"] = str(twice).lower()
    finally:
        arrivals.busy.discard(key)


@router.delete("/{key}", status_code=204)
def terminate(key: str, bench: TheBench) -> None:
    """Give an upload up."""
    bench.arrivals.give_up(_find(bench, key))


async def _receive(request: Request, arrivals: Arrivals, upload: Upload, at: int) -> int:
    """Append what comes; what was there when the connection broke stays."""
    part = arrivals.workspace.arriving(upload.key)
    held, room = bytearray(), min(upload.size - at, _LARGEST_PIECE)

    def write(piece: bytes) -> None:
        with part.open("ab") as file:
            file.write(piece)

    async def keep() -> None:
        nonlocal at, held
        try:
            await run_sync(write, bytes(held))
        except OSError as error:
            if is_full(error):
                refuse(507, FULL)
            raise
        at, held = at + len(held), bytearray()

    with suppress(ClientDisconnect):
        async for piece in request.stream():
            room -= len(piece)
            if room < 0:
                refuse(413, f"a piece has {_LARGEST_PIECE >> 20} MB at most, and does not go beyond the file's end")
            held += piece
            if len(held) >= _PIECE:
                await keep()
    if held:
        await keep()
    return at


def _admit(arrivals: Arrivals, upload: Upload) -> tuple[int, bool]:
    try:
        return arrivals.admit(upload)
    except MediaError as error:
        refuse(415, str(error))


def _metadata(header: str) -> dict[str, str]:
    """Read tus metadata: names, each with a value in base64."""
    told = {}
    for pair in header.split(","):
        name, _, value = pair.strip().partition(" ")
        try:
            told[name] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except binascii.Error:
            refuse(422, f"Upload-Metadata: {name[:40]} is not in base64")
    return told


def _find(bench: TheBench, key: str) -> Upload:
    return found(bench.arrivals.find(key), "there is no such upload; it may be complete, given up or too old")


def _largest(bench: TheBench) -> int:
    return int(bench.options.largest_upload * 1e9)
