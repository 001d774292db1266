"""What a page says in words and tables of data, runs and scores."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.evaluation.evaluate import Evaluation, Report
from imlcmm.evaluation.tables import comparison_table
from imlcmm.models.base import SentimentModel
from imlcmm.reports.explanations.explanation import Explainer
from imlcmm.reports.page.rerun import changed_optimization, changed_options, model_name
from imlcmm.reports.tables.confusion import confusion
from imlcmm.reports.tables.reliability import Reliability
from imlcmm.training.run import Run
from imlcmm.types import MODALITIES, TARGETS, written

WORST = 8


def data_facts(data: SentimentData) -> list[tuple[str, str]]:
    """Say what the data is."""
    spec = data.spec
    sizes = ", ".join(f"{name} {len(split):,}" for name, split in data.splits.items())
    features = [(f"{m} features", f"{spec.features[m]}, {spec.widths[m]} a step") for m in MODALITIES]
    unimodal = "of text, audio and vision too" if spec.unimodal_labels else "multimodal only"
    return [
        ("name", data.path.name),
        ("origin", "SIMULATED" if data.simulated else "real clips, as far as the file tells"),
        ("rules", data.rules.title),
        ("labels", f"{spec.low:g} to {spec.high:g}, {unimodal}"),
        ("clips", sizes),
        *features,
        ("checksum", data.checksum[:16]),
    ]


def run_facts(explainers: Sequence[Explainer], data: SentimentData) -> list[tuple[str, ...]]:
    """Say of each run, a column each, what was trained and how."""
    columns = [dict(_run_facts(explainer.run, explainer.models[0], data)) for explainer in explainers]
    return [(name, *(column[name] for column in columns)) for name in columns[0]]


def _run_facts(run: Run, model: SentimentModel, data: SentimentData) -> Iterator[tuple[str, str]]:
    used = run.description["data"]
    seeds = [seed.name.removeprefix("seed-") for seed in run.seeds]
    same = used["checksum"] == data.checksum
    yield "model", model_name(run)
    yield "parameters trained", f"{sum(p.numel() for p in model.parameters() if p.requires_grad):,}"
    yield "trained on", "this data" if same else f"OTHER data: {used['path']}, checksum {used['checksum'][:12]}"
    yield "training clips", f"{used['train_clips']:,} labelled, {used['unlabelled_clips']:,} without labels"
    yield "seeds", ", ".join(seeds)
    yield "options", _listed(changed_options(run))
    yield "optimisation", _listed(changed_optimization(run))
    yield "epochs", ", ".join(f"{e['best_epoch'] + 1} of {e['epochs']}" for e in run.outcomes)
    spreads = [e.get("valid_spread") for e in run.outcomes]
    shares = ["–" if each is None else f"{float(each):.0%}" for each in spreads]
    yield "deviation of predictions on validation, of the labels'", ", ".join(shares)
    yield "minutes a seed", f"{run.training_seconds / 60 / len(seeds):.1f}"


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items()) or "defaults"


def environment(runs: Sequence[Run]) -> list[tuple[str, ...]]:
    """Say with which software each run was trained."""
    found = [run.description["environment"] for run in runs]
    return [(name, *(str(each.get(name, "–")) for each in found)) for name in found[0]]


def scores(report: Report) -> dict[str, Any]:
    """Give `imlcmm evaluate`'s table, with each interval apart from its mean."""
    table = report.table
    rows = []
    for name, head, *cells in table.itertuples(index=False):
        parts = [str(cell).partition(" [") for cell in cells]
        rows.append({"name": name, "head": head, "cells": [(main, mark.strip() + rest) for main, mark, rest in parts]})
    return {"columns": list(table.columns), "rows": rows}


def comparisons(report: Report) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Lay each paired comparison out."""
    return [
        (pair, [tuple(row) for row in comparison_table(tests).itertuples(index=False)])
        for pair, tests in report.comparisons.items()
    ]


def confusion_rows(evaluation: Evaluation, data: SentimentData) -> dict[str, Any]:
    """Give the confusion of a run with shares of each true class."""
    names, counts = confusion(evaluation, data.spec)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1e-9)
    cells = [
        [(float(share), f"{count:.1f}".removesuffix(".0")) for share, count in zip(*row, strict=True)]
        for row in zip(shares, counts, strict=True)
    ]
    return {"names": list(names), "rows": list(zip(names, cells, strict=True))}


def coverage(name: str, judged: Sequence[Reliability]) -> list[tuple[str, ...]]:
    """Lay out promise and outcome of each head of a run."""
    return [
        (f"{name}, {r.head}", f"{r.clips:,}", f"{r.confidence:.1%}", f"{r.right:.1%}", f"{r.coverage:.1%}",
         f"[{r.low:.1%}, {r.high:.1%}]", f"{r.half_width:.2f}")
        for r in judged
    ]  # fmt: skip


def worst_rows(evaluation: Evaluation, count: int = WORST) -> list[int]:
    """Find the clips with the largest error of the mean prediction."""
    error = np.abs(evaluation.predictions["multimodal"].mean(0) - evaluation.labels[:, 0])
    return [int(i) for i in np.argsort(-np.nan_to_num(error, nan=-1.0), kind="stable")[:count]]


def clip_facts(evaluation: Evaluation, data: SentimentData, split: str, row: int) -> dict[str, Any]:
    """Say what a run predicts of a clip, beside its labels."""
    heads = []
    for head, seeds in evaluation.predictions.items():
        mean, deviation = float(seeds[:, row].mean()), float(seeds[:, row].std())
        spread = f" ± {deviation:.2f}" if len(seeds) > 1 and np.isfinite(mean) else ""
        label, low = float(evaluation.labels[row, TARGETS.index(head)]), data.spec.low
        heads.append((head, written(label, low), written(mean, low) + spread))
    return {"clip": evaluation.ids[row], "transcript": getattr(data, split).transcripts[row], "heads": heads}
