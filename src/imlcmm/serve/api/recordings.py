"""The library: recordings, what was found in them, their files and exports."""

import shutil
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory
from typing import Annotated, Literal

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import FileResponse
from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session
from starlette.background import BackgroundTask

from imlcmm.clean_text import clean_text
from imlcmm.features.subtitles.transcripts import SUFFIXES, read_transcript
from imlcmm.files import file_name
from imlcmm.prediction.export import check_export, export
from imlcmm.prediction.result import VideoPrediction
from imlcmm.serve.api import schemas
from imlcmm.serve.api.errors import found, refuse
from imlcmm.serve.api.views import detail_view, recording_view, scored_utterances
from imlcmm.serve.arrivals import shown_name
from imlcmm.serve.bench import TheBench, TheSession
from imlcmm.serve.jobs.queue import add_job, score_anew
from imlcmm.serve.jobs.recordings import prediction_of
from imlcmm.serve.state.tables import RUNNING, Job, Recording, SpokenUtterance

router = APIRouter(prefix="/recordings", tags=["recordings"])

_PAGE = 30
_TRANSCRIPT = 8 << 20
_TYPES = {
    ".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg",
    ".wav": "audio/wav", ".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".ogg": "audio/ogg", ".opus": "audio/ogg",
    ".oga": "audio/ogg", ".flac": "audio/flac", ".aac": "audio/aac",
}  # fmt: skip
Format = Literal["json", "csv", "parquet", "srt", "vtt", "eaf", "png"]


@router.get("")
def list_recordings(
    session: TheSession,
    search: Annotated[str, Query(max_length=200, description="Words in transcripts or names.")] = "",
    status: schemas.Status | None = None,
    collection: str | None = None,
    conflict: Annotated[bool, Query(description="Only where modalities contradict each other.")] = False,
    unsure: Annotated[
        float | None, Query(ge=0, le=1, description="Only with an utterance of less confidence than this.")
    ] = None,
    order: Literal["added", "name", "sentiment", "duration"] = "added",
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = _PAGE,
) -> schemas.RecordingPage:
    """List the library, the newest first."""
    wanted = [
        *([] if status is None else [Recording.status == status]),
        *([] if collection is None else [Recording.collection == collection]),
        *([] if not conflict else [_has(SpokenUtterance.agreement == "conflict")]),
        *([] if unsure is None else [_has(SpokenUtterance.confidence < unsure)]),
        *(_holds(word) for word in search.split()),
    ]
    total = session.scalar(select(func.count()).select_from(Recording).where(*wanted)) or 0
    page = _ordered(select(Recording).where(*wanted), order).offset(offset).limit(limit)
    rows = session.scalars(page).all()
    utterances = scored_utterances(session, rows)
    collections = session.scalars(select(Recording.collection).distinct().order_by(Recording.collection))
    return schemas.RecordingPage(
        total=total,
        collections=[name for name in collections if name],
        recordings=[recording_view(row, utterances[row.id]) for row in rows],
    )


@router.get("/{number}")
def get_recording(number: int, session: TheSession) -> schemas.RecordingDetail:
    """Give a recording with its utterances."""
    return detail_view(find_recording(session, number))


@router.patch("/{number}")
def change_recording(number: int, change: schemas.RecordingChange, session: TheSession) -> schemas.RecordingDetail:
    """Rename a recording, or put it into another collection."""
    recording = find_recording(session, number)
    if change.name is not None:
        recording.name = shown_name(change.name)
    if change.collection is not None:
        recording.collection = clean_text(change.collection)
    session.flush()
    return detail_view(recording)


@router.delete("/{number}", status_code=204)
def delete_recording(number: int, bench: TheBench) -> None:
    """Delete a recording, its file, scores and labels."""
    with bench.sessions() as session:
        recording = find_recording(session, number)
        key = recording.key
        jobs = list(session.scalars(select(Job.id).where(Job.recording_id == number)))
    for job in jobs:
        bench.runner.cancel(job)
    with bench.sessions.begin() as session:
        session.delete(find_recording(session, number))
    shutil.rmtree(bench.workspace.recording(key), ignore_errors=True)


@router.post("/{number}/score")
def score_recording(number: int, session: TheSession) -> schemas.RecordingDetail:
    """Score a recording anew with the present model; cuts, corrected words and labels stay."""
    recording = find_recording(session, number)
    score_anew(session, [recording])
    return detail_view(recording)


@router.put("/{number}/transcript")
async def put_transcript(
    number: int, request: Request, bench: TheBench, name: Annotated[str, Query(max_length=255)]
) -> schemas.RecordingDetail:
    """Take subtitles or a text (.srt, .vtt, .ass, .ssa, .lrc, .txt) for a recording, and cut and score it by them."""
    ending = PurePath(name.lower()).suffix
    if ending not in SUFFIXES:
        refuse(415, f"a transcript's name ends in {', '.join(SUFFIXES)}")
    content = bytearray()
    async for part in request.stream():
        content += part
        if len(content) > _TRANSCRIPT:
            refuse(413, f"a transcript has {_TRANSCRIPT >> 20} MB at most")
    return await run_sync(_take_transcript, bench, number, ending, bytes(content))


@router.get("/{number}/media", response_class=FileResponse)
def get_media(number: int, bench: TheBench, session: TheSession) -> FileResponse:
    """Give the recording's file; ranges are answered."""
    recording = find_recording(session, number)
    path = bench.workspace.media(recording.key, recording.suffix)
    return _file(path, _TYPES.get(recording.suffix, "application/octet-stream"))


@router.get("/{number}/preview", response_class=FileResponse)
def get_preview(number: int, bench: TheBench, session: TheSession) -> FileResponse:
    """Give the copy that browsers play, where they cannot play the recording itself."""
    return _file(bench.workspace.preview(find_recording(session, number).key), "video/mp4")


@router.get("/{number}/export/{format}", response_class=FileResponse)
def export_recording(number: int, format: Format, session: TheSession) -> Response:
    """Write what was found as JSON, CSV, Parquet, SRT, VTT or ELAN (EAF), or as the timeline's picture."""
    recording = find_recording(session, number)
    prediction = prediction_of_recording(recording)
    folder = TemporaryDirectory(prefix="imlcmm-export-")
    out = Path(folder.name) / f"{file_name(PurePath(recording.name).stem)}.{format}"
    try:
        if format == "png":
            from imlcmm.prediction.timeline import draw_timeline

            draw_timeline(prediction, out)
        else:
            check_export([prediction.path], out)
            export([prediction], out)
    except BaseException:
        folder.cleanup()
        raise
    return FileResponse(out, filename=out.name, background=BackgroundTask(folder.cleanup))


def find_recording(session: Session, number: int) -> Recording:
    """Find a recording by its number.

    Raises:
        HTTPException: If there is none.
    """
    return found(session.get(Recording, number), f"there is no recording {number}; it may have been deleted")


def prediction_of_recording(recording: Recording) -> VideoPrediction:
    """Give what was found in a recording as the exports take it, under its own name."""
    return VideoPrediction(
        Path(recording.name),
        recording.model,
        recording.low,
        recording.high,
        [prediction_of(utterance) for utterance in recording.utterances],
        recording.failure,
        recording.neutral,
    )


def _take_transcript(bench: TheBench, number: int, ending: str, content: bytes) -> schemas.RecordingDetail:
    with bench.sessions.begin() as session:
        recording = find_recording(session, number)
        if recording.status == RUNNING:
            refuse(409, f"{recording.name} is being scored; wait until that is done, or cancel it")
        if any(utterance.labels or utterance.is_corrected for utterance in recording.utterances):
            refuse(409, f"{recording.name} has labels or corrections, which a new cut would drop; delete them first")
        folder = bench.workspace.recording(recording.key)
        beside = folder / f"arriving{ending}"
        beside.write_bytes(content)
        try:
            read_transcript(beside)
        except Exception:
            beside.unlink()
            raise
        for old in SUFFIXES:
            (folder / f"recording{old}").unlink(missing_ok=True)
        beside.replace(folder / f"recording{ending}")
        recording.utterances, recording.is_cut = [], False
        add_job(session, "score", recording=recording)
        session.flush()
        return detail_view(recording)


def _file(path: Path, kind: str) -> FileResponse:
    if not path.is_file():
        refuse(404, "the file is not there; it may not be made yet")
    return FileResponse(path, media_type=kind, headers={"Content-Security-Policy": "default-src 'none'; sandbox"})


def _has(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    return Recording.utterances.any(condition)


def _holds(word: str) -> ColumnElement[bool]:
    return Recording.name.icontains(word, autoescape=True) | _has(
        SpokenUtterance.transcript.icontains(word, autoescape=True)
    )


def _ordered(query: Select[Recording], order: str) -> Select[Recording]:
    if order == "sentiment":
        mean = select(func.avg(SpokenUtterance.sentiment)).where(SpokenUtterance.recording_id == Recording.id)
        return query.order_by(mean.scalar_subquery().desc().nulls_last(), Recording.id)
    if order == "added":
        return query.order_by(Recording.id.desc())
    return query.order_by(Recording.name if order == "name" else Recording.duration.desc().nulls_last(), Recording.id)
