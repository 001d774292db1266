"""Data sets, models and runs: made, trained, compared, and put to work on the library."""

import csv
import io
import math
import shutil
from pathlib import Path

from fastapi import APIRouter
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from imlcmm.datasets.stores.manifest import read_manifest
from imlcmm.errors import DataError
from imlcmm.model_ideas import model_ideas
from imlcmm.serve.api import schemas
from imlcmm.serve.api.errors import found, refuse
from imlcmm.serve.api.jobs import job_view
from imlcmm.serve.bench import Bench, TheBench, TheSession
from imlcmm.serve.jobs.labelled import labelled_clips
from imlcmm.serve.jobs.queue import add_job
from imlcmm.serve.state.database import setting
from imlcmm.serve.state.tables import DONE, RUNNING, WAITING, Job
from imlcmm.untrusted import read_json

router = APIRouter(tags=["data sets and runs"])

_FEWEST, _MISSING = 10, "there is no run {}"


@router.get("/datasets")
def list_datasets(bench: TheBench) -> list[schemas.Dataset]:
    """List the data sets in the workspace's folder `datasets`; stores that are copied there are found too."""
    opened = (_dataset(bench, folder.name) for folder in sorted(bench.workspace.datasets.iterdir()) if folder.is_dir())
    return [dataset for dataset in opened if dataset is not None]


@router.post("/datasets", status_code=202)
def make_dataset(new: schemas.NewDataset, bench: TheBench, session: TheSession) -> schemas.JobResult:
    """Make a data set of the labels, or a simulated one to practise on."""
    if (bench.workspace.datasets / new.name).exists():
        refuse(409, f"there is a data set {new.name} already; choose another name")
    if new.source == "simulated":
        return job_view(add_job(session, "simulate", subject=new.name), bench)
    labelled = len(labelled_clips(session, bench.workspace))
    if labelled < _FEWEST:
        refuse(409, f"{labelled} utterances have a multimodal label; label {_FEWEST} or more first")
    return job_view(add_job(session, "dataset", subject=new.name), bench)


@router.get("/models")
def list_models() -> list[schemas.SentimentModel]:
    """List the models that can be trained."""
    return [schemas.SentimentModel(name=name, idea=idea) for name, idea in model_ideas().items()]


@router.get("/runs")
def list_runs(bench: TheBench, session: TheSession) -> list[schemas.Run]:
    """List the runs, the newest first."""
    return [_run(job, bench, session) for job in reversed(_latest(session).values())]


@router.post("/runs", status_code=202)
def start_run(new: schemas.NewRun, bench: TheBench, session: TheSession) -> schemas.Run:
    """Train a model by its recipe."""
    if new.model not in model_ideas():
        refuse(422, f"there is no model {new.model}; choose one of {', '.join(model_ideas())}")
    if _dataset(bench, new.data) is None:
        refuse(404, f"there is no data set {new.data}")
    if (bench.workspace.runs / new.name).exists() or new.name in _latest(session):
        refuse(409, f"there is a run {new.name} already; choose another name")
    job = add_job(
        session, "train", subject=new.name, data=new.data, model=new.model, seeds=new.seeds, epochs=new.epochs
    )
    return _run(job, bench, session)


@router.post("/runs/{name}/resume", status_code=202)
def resume_run(name: schemas.PlainName, bench: TheBench, session: TheSession) -> schemas.Run:
    """Go on with a run that was stopped or failed; it comes to the same bits as one that never stopped."""
    job = _job_of(session, name)
    if job.state in (WAITING, RUNNING):
        refuse(409, f"{name} is {job.state} already")
    return _run(add_job(session, "train", subject=name, **job.payload), bench, session)


@router.delete("/runs/{name}", status_code=204)
def delete_run(name: schemas.PlainName, bench: TheBench, session: TheSession) -> None:
    """Delete a run that neither trains nor scores the library."""
    job = _job_of(session, name)
    if job.state in (WAITING, RUNNING):
        refuse(409, f"{name} is {job.state}; stop it first")
    if setting(session, "model") == name:
        refuse(409, f"{name} scores the library; choose another model first")
    for each in session.scalars(select(Job).where(Job.kind == "train", Job.subject == name)):
        session.delete(each)
    shutil.rmtree(bench.workspace.runs / name, ignore_errors=True)


@router.get("/runs/{name}/curves")
def curves(name: schemas.PlainName, bench: TheBench) -> schemas.Curves:
    """Give the losses and validation scores of each epoch so far, by seed."""
    files = sorted((bench.workspace.runs / name).glob("seed-*/history.csv"))
    return schemas.Curves(seeds={file.parent.name: _columns(file.read_text(encoding="utf-8")) for file in files})


@router.post("/runs/compare", status_code=202)
def compare_runs(asked: schemas.Comparison, bench: TheBench, session: TheSession) -> schemas.JobResult:
    """Score runs of one data set on a split, with intervals and paired tests; the job holds the result."""
    latest = _latest(session)
    jobs = [found(latest.get(name), _MISSING.format(name)) for name in dict.fromkeys(asked.runs)]
    unfinished = [job.subject for job in jobs if job.state != DONE]
    if unfinished:
        refuse(409, f"{', '.join(unfinished)} is not finished; train it first")
    if len({job.payload["data"] for job in jobs}) > 1:
        refuse(409, "the runs were trained on different data sets; compare those of one")
    names = [job.subject for job in jobs]
    job = add_job(session, "evaluate", subject=jobs[0].payload["data"], runs=names, split=asked.split)
    return job_view(job, bench)


@router.put("/model", status_code=202)
def choose_model(chosen: schemas.Scorer, bench: TheBench, session: TheSession) -> schemas.JobResult:
    """Let a run score the library from now on, if it reads what recordings give; the job tells."""
    if chosen.run is not None and _job_of(session, chosen.run).state != DONE:
        refuse(409, f"{chosen.run} is not finished; train it first")
    job = add_job(session, "adopt", subject=chosen.run or "", rescore=chosen.rescore, urgent=True)
    return job_view(job, bench)


def _dataset(bench: Bench, name: str) -> schemas.Dataset | None:
    try:
        manifest = read_manifest(bench.workspace.datasets / name)
    except DataError:
        return None  # it is being written, or is none
    clips = {split: entry["clips"] for split, entry in manifest["splits"].items()}
    return schemas.Dataset(name=name, kind=manifest["kind"], simulated=manifest["simulated"], clips=clips)


def _latest(session: Session) -> dict[str, Job]:
    """Give the last job of each run by the run's name, in order of these jobs."""
    last = select(func.max(Job.id)).where(Job.kind == "train").group_by(Job.subject)
    return {job.subject: job for job in session.scalars(select(Job).where(Job.id.in_(last)).order_by(Job.id))}


def _job_of(session: Session, name: str) -> Job:
    return found(_latest(session).get(name), _MISSING.format(name))


def _run(job: Job, bench: Bench, session: Session) -> schemas.Run:
    folder = bench.workspace.runs / job.subject
    return schemas.Run(
        name=job.subject, data=job.payload["data"], model=job.payload["model"], seeds=job.payload["seeds"],
        epochs=job.payload["epochs"], state=job.state, message=job.message, job=job.id,  # type: ignore[arg-type]
        progress=bench.runner.progress.get(job.id) if job.state == RUNNING else None,
        finished_seeds=len(list(folder.glob("seed-*/metrics.json"))),
        scores=_scores(folder), scores_library=setting(session, "model") == job.subject,
    )  # fmt: skip


def _scores(folder: Path) -> dict[str, float]:
    try:
        mean = read_json(folder / "metrics.json")["mean"]
    except (OSError, ValueError, LookupError):
        return {}
    return {name: value for name, value in mean.items() if isinstance(value, int | float)}


def _columns(text: str) -> dict[str, list[float | None]]:
    rows = list(csv.DictReader(io.StringIO(text)))
    return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def _number(cell: str) -> float | None:
    value = float(cell) if cell else math.nan
    return value if math.isfinite(value) else None
