"""Train every model on one data set under one protocol, and compare them: the table that papers begin with."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.evaluation.evaluate import Evaluation, Report, evaluate_run, resampled
from imlcmm.evaluation.ranks import RESAMPLES, Ranking, mean_draws, rank
from imlcmm.evaluation.rules import absolute_errors
from imlcmm.evaluation.tables import LOWER_IS_BETTER, markdown
from imlcmm.files import write_text
from imlcmm.models.base import SentimentModel
from imlcmm.reports.experiments.findings import METRIC, SURE, cell, metrics_of
from imlcmm.reports.experiments.runs import Setting, score_each, train_settings
from imlcmm.reports.tables.difference_chart import draw_ranking
from imlcmm.reports.tables.interval_chart import SIMULATED, draw_leaderboard
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
    """The models that came to an end, and what the others failed of."""

    entries: Sequence[Entry]
    failures: Mapping[str, str]
    data: SentimentData

    @cached_property
    def ranking(self) -> Ranking:
        """Rank the models by their MAE on resamples of videos and seeds, and compare every two."""
        evaluations = [entry.evaluation for entry in self.entries]
        errors = [absolute_errors(self.data.rules, e.predictions["multimodal"], e.labels[:, 0]) for e in evaluations]
        draws = np.stack([mean_draws(e, each.videos) for e, each in zip(errors, evaluations, strict=True)])
        whole = [float(np.nanmean(e, axis=1).mean()) for e in errors]
        return rank([e.name for e in evaluations], draws, whole, SURE)

    @cached_property
    def ranked(self) -> list[Entry]:
        """The models, the best mean rank first."""
        entries = {entry.evaluation.name: entry for entry in self.entries}
        return [entries[name] for name in self.ranking.names]

    def table(self) -> pd.DataFrame:
        """Lay out a row a model in order of rank: `mean ± deviation` of each metric.

        The best is in bold where the test supports it.
        """
        evaluations = [entry.evaluation for entry in self.entries]
        metrics = metrics_of(evaluations[0])
        bold = {metric: self.supported_best(metric) for metric in metrics}
        rows = []
        for entry, mean_rank in zip(self.ranked, self.ranking.ranks, strict=True):
            e, star = entry.evaluation, ""
            if entry.learns_unimodal_labels and not self.data.spec.unimodal_labels:
                star = " †"
            cells = {metric: _cell(e, metric, bold=bold[metric] is e) for metric in metrics}
            size = {"parameters": f"{entry.parameters:,}", "min/seed": f"{entry.minutes:.1f}"}
            speed = f"{entry.clips_per_second:,.0f}"
            rows.append({"model": e.name + star, "rank": f"{mean_rank:.1f}", **cells, **size, "clips/s": speed})
        return pd.DataFrame(rows)

    def supported_best(self, metric: str) -> Evaluation | None:
        """Give the best model in a metric if the paired test tells it from the second."""
        evaluations = [entry.evaluation for entry in self.entries]
        ranked = sorted(evaluations, key=lambda e: e.mean(metric), reverse=metric not in LOWER_IS_BETTER)
        if len(ranked) > 1 and ranked[0].minus(ranked[1])[metric].p_value >= SURE:
            return None
        return ranked[0]

    def intervals(self) -> pd.DataFrame:
        """Give a row a model and metric: mean, deviation over seeds, and 95 % interval over videos and seeds."""
        frames = [entry.evaluation.to_frame() for entry in self.ranked]
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
            f"{' to '.join(map(str, {seeds[0], seeds[-1]}))} seeds; {self.selection}. {first.scored}Rank: mean of "
            f"those in {METRIC} on resamples of {self.over}. Bold: best, and better than the second by a paired "
            f"bootstrap over the same (p < {SURE})."
        )

    @property
    def over(self) -> str:
        """Say what the intervals and tests are over."""
        return resampled([entry.evaluation for entry in self.entries])

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
        parts = [self.caption, markdown(self.table()), *self.alike]
        if not self.data.spec.unimodal_labels and any(e.learns_unimodal_labels for e in self.entries):
            parts.append("† learns a task for each modality; this data has no unimodal labels, so the label is M's.")
        parts += Report([entry.evaluation for entry in self.ranked], {}).constants
        parts += [f"{name} is missing: {reason}" for name, reason in self.failures.items()]
        return "\n\n".join(parts) + "\n"

    @property
    def alike(self) -> list[str]:
        """Say which models cannot be told apart."""
        names, groups = self.ranking.names, self.ranking.groups
        if len(names) == 1:
            return []
        test = f"paired bootstrap of {METRIC} over {self.over}, {RESAMPLES:,} resamples, p adjusted after Holm for "
        test += f"{len(self.ranking.pairs)} pairs"
        listed = [f"- {', '.join(names[place] for place in group)}" for group in groups]
        if not groups:
            return [f"Every two models can be told apart ({test})."]
        return [f"No two of these can be told apart ({test}):", "\n".join(listed)]

    @property
    def pairs(self) -> pd.DataFrame:
        """Give a row a pair of models: their mean ranks and the adjusted p-value of their difference."""
        names, ranks = self.ranking.names, self.ranking.ranks
        rows = [
            (names[p.first], names[p.second], ranks[p.first], ranks[p.second], p.p_value) for p in self.ranking.pairs
        ]
        return pd.DataFrame(rows, columns=["first", "second", "first_rank", "second_rank", "p"])

    def write(self, folder: Path, name: str = "leaderboard", text: str = "") -> None:
        """Write NAME.md (the table, or a text with more than it), .csv (with intervals), .tex and .png.

        Of the ranks, NAME-ranks.csv has every pair, and NAME-ranks.png is the critical-difference picture.
        """
        picture = write_result(folder, name, text or self.markdown, self.intervals(), self.table(), self.caption)
        draw_leaderboard([entry.evaluation for entry in self.ranked], picture)
        write_text(folder / f"{name}-ranks.csv", self.pairs.to_csv(index=False))
        title = f"{METRIC} on resamples of {self.over}; a bar joins models of which no two can be told apart (Holm)."
        simulated = f"{SIMULATED}. " if self.data.simulated else ""
        draw_ranking(self.ranking, simulated + title, folder / f"{name}-ranks.png")


def leaderboard(
    data: SentimentData,
    models: Sequence[str],
    *,
    folder: Path,
    seeds: int = 5,
    jobs: int = 1,
    options: Sequence[str] = (),
    ray: str | None = None,
    calibrated: bool = False,
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
        calibrated: Whether outputs are scored in the place of the mean label of such outputs on validation.

    Raises:
        TrainingError: If no model came to an end.
    """
    settings = [Setting(name, model=name) for name in models]
    failures = train_settings(settings, data.path, folder, seeds=seeds, jobs=jobs, options=options, ray=ray)
    entries = score_each(settings, failures, lambda s: enter(load_run(folder / s.folder), data, calibrated=calibrated))
    return Leaderboard(list(entries.values()), failures, data)


def enter(run: Run, data: SentimentData, *, calibrated: bool = False) -> Entry:
    """Score a run, calibrated if asked for, and measure the model."""
    evaluation = evaluate_run(run, data, name=run.folder.name, calibrated=calibrated)
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
