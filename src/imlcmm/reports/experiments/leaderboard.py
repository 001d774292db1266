"""Train every model on one data set under one protocol, and compare them: the table that papers begin with."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import torch

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.evaluation.evaluate import Evaluation, evaluate
from imlcmm.evaluation.tables import LOWER_IS_BETTER, markdown
from imlcmm.models.base import SentimentModel
from imlcmm.reports.experiments.findings import SURE, cell, metrics_of
from imlcmm.reports.experiments.runs import Setting, score_each, train_settings
from imlcmm.reports.tables.interval_chart import draw_leaderboard
from imlcmm.reports.tables.results import write_result
from imlcmm.training.run import Run, load_run

SPEED_BATCH, SPEED_CLIPS, SPEED_REPEATS = 32, 320, 5


@dataclass(frozen=True)
class Entry:
    """A model of the leaderboard.

    Attributes:
        evaluation: Its scores.
        parameters: Trained parameters.
        learns_unimodal_labels: Whether it has tasks for single modalities.
        selects: Whether the epoch was selected on validation; otherwise the last one was kept.
        minutes: Wall-clock minutes of training a seed.
        clips_per_second: Prediction speed in batches of 32, features read before.
    """

    evaluation: Evaluation
    parameters: int
    learns_unimodal_labels: bool
    selects: bool
    minutes: float
    clips_per_second: float


@dataclass(frozen=True)
class Leaderboard:
    """The models that came to an end, in order, and what the others failed of."""

    entries: Sequence[Entry]
    failures: Mapping[str, str]
    data: SentimentData

    def table(self) -> pd.DataFrame:
        """Lay out a row a model: `mean ± deviation` of each metric, the best in bold where the test supports it."""
        evaluations = [entry.evaluation for entry in self.entries]
        metrics = metrics_of(evaluations[0])
        bold = {metric: self.supported_best(metric) for metric in metrics}
        rows = []
        for entry in self.entries:
            e, star = entry.evaluation, ""
            if entry.learns_unimodal_labels and not self.data.spec.unimodal_labels:
                star = " †"
            cells = {metric: _cell(e, metric, bold=bold[metric] is e) for metric in metrics}
            size = {"parameters": f"{entry.parameters:,}", "min/seed": f"{entry.minutes:.1f}"}
            rows.append({"model": e.name + star, **cells, **size, "clips/s": f"{entry.clips_per_second:,.0f}"})
        return pd.DataFrame(rows)

    def supported_best(self, metric: str) -> Evaluation | None:
        """Give the best model in a metric if the paired test tells it from the second."""
        evaluations = [entry.evaluation for entry in self.entries]
        ranked = sorted(evaluations, key=lambda e: e.mean(metric), reverse=metric not in LOWER_IS_BETTER)
        if len(ranked) > 1 and ranked[0].minus(ranked[1])[metric].p_value >= SURE:
            return None
        return ranked[0]

    def intervals(self) -> pd.DataFrame:
        """Give a row a model and metric: mean, deviation over seeds, and 95 % interval over videos."""
        frames = [entry.evaluation.to_frame() for entry in self.entries]
        frame = pd.concat(frames)
        return frame[frame["head"] == "multimodal"].drop(columns="head")

    @property
    def caption(self) -> str:
        """Say what the table shows."""
        first, spec = self.entries[0].evaluation, self.data.spec
        simulated = "Simulated data: not comparable with published numbers. " if first.simulated else ""
        seeds = sorted({e.evaluation.predictions["multimodal"].shape[0] for e in self.entries})
        return (
            f"{simulated}{spec.kind}, {len(first.ids)} test clips; mean ± deviation over "
            f"{' to '.join(map(str, {seeds[0], seeds[-1]}))} seeds; {self.selection}. Bold: best, and better "
            f"than the second by a paired bootstrap over {first.units} (p < {SURE})."
        )

    @property
    def selection(self) -> str:
        """Say how the epoch of each model was chosen."""
        last = [entry.evaluation.name for entry in self.entries if not entry.selects]
        if len(last) == len(self.entries):
            return "the last epoch of each"
        return "selection on validation" + (f", but the last epoch of {', '.join(last)}" if last else "")

    @property
    def markdown(self) -> str:
        """The table with its notes."""
        parts = [self.caption, markdown(self.table())]
        if not self.data.spec.unimodal_labels and any(e.learns_unimodal_labels for e in self.entries):
            parts.append("† learns a task for each modality; this data has no unimodal labels, so the label is M's.")
        parts += [f"{name} is missing: {reason}" for name, reason in self.failures.items()]
        return "\n\n".join(parts) + "\n"

    def write(self, folder: Path, name: str = "leaderboard", text: str = "") -> None:
        """Write NAME.md (the table, or a text with more than it), .csv (with intervals), .tex and .png."""
        picture = write_result(folder, name, text or self.markdown, self.intervals(), self.table(), self.caption)
        draw_leaderboard([entry.evaluation for entry in self.entries], picture)


def leaderboard(
    data: SentimentData,
    models: Sequence[str],
    *,
    folder: Path,
    seeds: int = 5,
    jobs: int = 1,
    options: Sequence[str] = (),
    ray: str | None = None,
) -> Leaderboard:
    """Train what is missing, each model by its recipe in a process of its own, then score all on the test split.

    Args:
        data: Data set.
        models: Names of the models.
        folder: Folder of the runs, a folder a model, and their logs.
        seeds: Seeds a model.
        jobs: Models trained at a time; they share the processor's cores.
        options: Further words of `imlcmm train` for every model.
        ray: Address of a Ray cluster to train on, as for `train_settings`.

    Raises:
        TrainingError: If no model came to an end.
    """
    settings = [Setting(name, model=name) for name in models]
    failures = train_settings(settings, data.path, folder, seeds=seeds, jobs=jobs, options=options, ray=ray)
    entries = score_each(settings, failures, lambda setting: enter(load_run(folder / setting.folder), data))
    return Leaderboard(list(entries.values()), failures, data)


def enter(run: Run, data: SentimentData) -> Entry:
    """Score a run and measure the model."""
    evaluation = evaluate([run.load(seed) for seed in run.seeds], data, name=run.folder.name)
    model = run.best
    return Entry(
        evaluation,
        parameters=sum(p.numel() for p in model.parameters() if p.requires_grad),
        learns_unimodal_labels=model.learns_unimodal_labels,
        selects=run.description["optimization"]["patience"] is not None,
        minutes=run.training_seconds / 60 / len(run.seeds),
        clips_per_second=prediction_speed(model, data.test),
    )


@torch.no_grad()
def prediction_speed(model: SentimentModel, clips: ClipDataset) -> float:
    """Measure clips a second in batches of 32, the fastest of several rounds, without reading."""
    some = clips.averaging(model.averages).subset(range(min(SPEED_CLIPS, len(clips))))
    batches = list(some.batches(SPEED_BATCH))
    model.eval()
    rounds = []
    for _ in range(SPEED_REPEATS):
        begin = time.perf_counter()
        for batch in batches:
            model(batch)
        rounds.append(time.perf_counter() - begin)
    return sum(len(batch.row) for batch in batches) / min(rounds)


def _cell(evaluation: Evaluation, metric: str, *, bold: bool) -> str:
    text = cell(evaluation, metric)
    return f"**{text}**" if bold else text
