"""Labels by several raters: what to label next, how far raters agree, and the label file of the field."""

from typing import Annotated, Literal, get_args

import numpy as np
from fastapi import APIRouter, Query, Response
from sqlalchemy import delete, distinct, func, select
from sqlalchemy.orm import Session

from imlcmm.clean_text import clean_text
from imlcmm.datasets.labels.label_export import label_csv
from imlcmm.evaluation.agreement import krippendorff_alpha
from imlcmm.serve.api import schemas
from imlcmm.serve.api.errors import refuse
from imlcmm.serve.api.utterances import find_utterance
from imlcmm.serve.api.views import recording_view, utterance_view
from imlcmm.serve.bench import TheBench, TheSession
from imlcmm.serve.jobs.labelled import labelled_clips
from imlcmm.serve.state.tables import Label, Recording, SpokenUtterance

router = APIRouter(tags=["labels"])


@router.put("/utterances/{number}/labels")
def put_labels(number: int, said: schemas.Labels, session: TheSession) -> dict[str, float]:
    """Keep what a rater says of an utterance; what is not named stays."""
    row, rater = find_utterance(session, number), clean_text(said.rater)
    for target, value in said.labels.items():
        mine = (Label.utterance_id == row.id, Label.rater == rater, Label.target == target)
        session.execute(delete(Label).where(*mine))
        if value is not None:
            session.add(Label(utterance_id=row.id, rater=rater, target=target, value=value))
    session.flush()
    return _labels_of(session, row.id, rater)


@router.get("/labels/next")
def next_utterance(
    session: TheSession,
    rater: Annotated[schemas.Name, Query()],
    targets: Annotated[list[schemas.Target], Query()] = ["multimodal"],  # noqa: B006 - FastAPI copies it
    order: Literal["uncertainty", "time"] = "uncertainty",
    collection: str | None = None,
    skip: Annotated[list[int], Query(max_length=1000)] = [],  # noqa: B006 - FastAPI copies it
) -> schemas.LabelTask:
    """Give what this rater should label next: what the model is least sure of, or what comes next in time."""
    done = (
        select(Label.utterance_id)
        .where(Label.rater == rater, Label.target.in_(targets))
        .group_by(Label.utterance_id)
        .having(func.count() == len(set(targets)))
    )
    wanted = select(SpokenUtterance).join(Recording).where(SpokenUtterance.end > SpokenUtterance.start)
    if collection is not None:
        wanted = wanted.where(Recording.collection == collection)
    open_ones = wanted.where(SpokenUtterance.id.not_in(done))
    left, total = (session.scalar(select(func.count()).select_from(q.subquery())) or 0 for q in (open_ones, wanted))
    by = (
        (SpokenUtterance.confidence.asc().nulls_last(), SpokenUtterance.id)
        if order == "uncertainty"
        else (SpokenUtterance.recording_id, SpokenUtterance.start)
    )
    row = session.scalar(open_ones.where(SpokenUtterance.id.not_in(skip)).order_by(*by).limit(1))
    row = row or session.scalar(open_ones.order_by(*by).limit(1))  # what was skipped comes again at the end
    return schemas.LabelTask(
        utterance=None if row is None else utterance_view(row),
        recording=None if row is None else recording_view(row.recording, []),
        labels={} if row is None else _labels_of(session, row.id, rater),
        done=total - left,
        left=left,
    )


@router.get("/labels/summary")
def summary(session: TheSession) -> schemas.LabelSummary:
    """Tell what is labelled, by whom, and how far the raters agree."""
    raters = session.execute(
        select(Label.rater, func.count(distinct(Label.utterance_id))).group_by(Label.rater).order_by(Label.rater)
    )
    recordings = select(func.count(distinct(SpokenUtterance.recording_id))).join(Label)
    return schemas.LabelSummary(
        agreement=[_agreement(session, target) for target in get_args(schemas.Target)],
        raters={name: count for name, count in raters},
        recordings=session.scalar(recordings) or 0,
    )


@router.get("/utterances/{number}/labels")
def get_labels(number: int, session: TheSession) -> dict[str, dict[str, float]]:
    """Give all raters' labels of an utterance."""
    found: dict[str, dict[str, float]] = {}
    for label in find_utterance(session, number).labels:
        found.setdefault(label.rater, {})[label.target] = label.value
    return found


@router.get("/labels.csv", response_class=Response)
def labels_file(bench: TheBench, session: TheSession) -> Response:
    """Give label.csv in the field's layout, each label the mean over its raters."""
    rows = [clip.row for clip in labelled_clips(session, bench.workspace)]
    if not rows:
        refuse(409, "nothing has a multimodal label yet; label some utterances first")
    named = {"Content-Disposition": 'attachment; filename="label.csv"'}
    return Response(label_csv(rows), media_type="text/csv; charset=utf-8", headers=named)


def _labels_of(session: Session, utterance: int, rater: str) -> dict[str, float]:
    mine = session.scalars(select(Label).where(Label.utterance_id == utterance, Label.rater == rater))
    return {label.target: label.value for label in mine}


def _agreement(session: Session, target: schemas.Target) -> schemas.Agreement:
    """Tell how far the raters agree in one target."""
    labels = session.scalars(select(Label).where(Label.target == target)).all()
    raters = {name: place for place, name in enumerate(sorted({label.rater for label in labels}))}
    units = {number: place for place, number in enumerate(sorted({label.utterance_id for label in labels}))}
    table = np.full((len(raters), len(units)), np.nan)
    for label in labels:
        table[raters[label.rater], units[label.utterance_id]] = label.value
    shared = int((np.isfinite(table).sum(0) >= 2).sum())
    return schemas.Agreement(
        target=target, labelled=len(units), raters=len(raters), shared=shared, alpha=krippendorff_alpha(table)
    )
