"""A page about runs: what was trained, how well it does, where it fails and what it looks at."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.evaluation.evaluate import Evaluation, Report, distinct_names, evaluate, resampled
from imlcmm.files import write_text
from imlcmm.reports.explanations.attention_map import COMPOSITION
from imlcmm.reports.explanations.explanation import Explainer
from imlcmm.reports.page import charts, facts
from imlcmm.reports.page.clip_pictures import Picture, curve_pictures, map_pictures
from imlcmm.reports.page.render import inlay, render
from imlcmm.reports.page.rerun import training_commands
from imlcmm.reports.tables.reliability import Reliability, reliability
from imlcmm.training.run import load_run

HEADINGS = {
    "trained": "What was trained on what",
    "scores": "Scores",
    "comparisons": "Paired comparisons",
    "curves": "Learning curves",
    "terms": "Unimodal and mixup losses",
    "true": "Predicted against true",
    "confusion": "Confusion of classes",
    "calibration": "Calibration",
    "worst": "The worst clips",
    "features": "What single features do",
    "attention": "What text looks at",
    "again": "To run it again",
}


@dataclass(frozen=True)
class Subject:
    """A run of the page with what is known of it.

    Attributes:
        evaluation: Its scores and predictions.
        explainer: Explains clips by the model of its first seed.
        judged: Its calibration, head by head.
    """

    evaluation: Evaluation
    explainer: Explainer
    judged: Sequence[Reliability]

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.evaluation.name


def write_report(folders: Sequence[Path], data: SentimentData, path: Path, split: str = "test") -> Report:
    """Evaluate runs and write the page about them.

    Args:
        folders: Run folders.
        data: Data set.
        path: HTML file to write.
        split: Split to score.

    Raises:
        TrainingError: If a folder is not a finished run.
        ModelError: If a model was built for other features or labels.
        DataError: If the split is missing.
    """
    subjects = []
    for name, folder in zip(distinct_names(folders), folders, strict=True):
        explainer = Explainer.load(load_run(folder), data, split)
        evaluation = evaluate(explainer.models, data, split, name)
        subjects.append(Subject(evaluation, explainer, reliability(explainer.run, evaluation, explainer.clips)))
    report = Report.of([s.evaluation for s in subjects])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, report_page(report, subjects, data, split))
    return report


def report_page(report: Report, subjects: Sequence[Subject], data: SentimentData, split: str) -> str:
    """Fill the page."""
    explainers, names = [s.explainer for s in subjects], [s.name for s in subjects]
    title = f"{' and '.join(names) if len(names) < 3 else f'{len(names)} models'} on {data.path.name}"
    values: dict[str, Any] = {
        "simulated": data.simulated,
        "split": split,
        "clips": f"{len(report.evaluations[0].ids):,}",
        "resampled": resampled(report.evaluations),
        "sources_known": data.sources_known,
        "shares_no_videos": report.shares_no_videos,
        "kind": data.rules.title,
        "neutral": "zero" if data.spec.neutral == 0 else f"{data.spec.neutral:g}",
        "names": names,
        "title": title + (" (SIMULATED)" if data.simulated else ""),
        "lead": f"Multimodal sentiment: training, scores on the {split} split, calibration, errors and explanations.",
        "data_facts": facts.data_facts(data),
        "run_facts": facts.run_facts(explainers, data),
        "environment": facts.environment([e.run for e in explainers]),
        "commands": list(_commands(subjects, data, split)),
        "composition": COMPOSITION,
        **_scores(report, subjects, data, split),
        **_pictures(subjects, data),
        **_insights(subjects),
    }
    absent = {name for name in ("comparisons", "terms", "calibration", "features", "attention") if not values[name]}
    contents = [(name, heading) for name, heading in HEADINGS.items() if name not in absent]
    return render("report.html.jinja", {**values, "contents": contents})


def _scores(report: Report, subjects: Sequence[Subject], data: SentimentData, split: str) -> dict[str, Any]:
    """Collect the tables."""
    return {
        "scores": facts.scores(report),
        "constants": [sentence.replace("**", "") for sentence in report.constants],
        "gaps": report.gaps,
        "comparisons": facts.comparisons(report),
        "confusions": [(s.name, facts.confusion_rows(s.evaluation, data)) for s in subjects],
        "coverage": [row for s in subjects for row in facts.coverage(s.name, s.judged)],
        "worst": [
            (s.name, [facts.clip_facts(s.evaluation, data, split, row) for row in facts.worst_rows(s.evaluation)])
            for s in subjects
        ],
    }


def _pictures(subjects: Sequence[Subject], data: SentimentData) -> dict[str, Any]:
    """Draw what every model has."""
    learning, terms, scatter, calibration = [], [], [], []
    for s in subjects:
        run = s.explainer.run
        histories, selected = run.histories, [outcome["best_epoch"] for outcome in run.outcomes]
        learning += [
            Picture("loss", charts.loss_curves(histories, selected), f"{s.name}: joint loss."),
            Picture("error", charts.error_curves(histories, selected), f"{s.name}: validation error of the sentiment."),
        ]
        for part in charts.loss_terms(histories):
            terms.append(Picture("terms", charts.term_curves(histories, part), f"{s.name}: {', '.join(part)}."))
        caption = f"{s.name}: MAE {s.evaluation.mean('MAE'):.3f}; mean prediction of the seeds."
        scatter.append(Picture("true", charts.predicted_against_true(s.evaluation, data.spec), caption))
        if s.judged:
            figure = charts.confidence_against_right(s.judged)
            calibration.append(Picture("calibration", figure, f"{s.name}: promised confidence and outcome."))
    return {
        "learning": inlay(learning),
        "terms": inlay(terms),
        "scatter": inlay(scatter, "Predicted against true sentiment."),
        "calibration": inlay(calibration),
    }


def _insights(subjects: Sequence[Subject]) -> dict[str, Any]:
    """Draw what only models with KAN layers and hyper-modality have."""
    features, attention = [], []
    for s in subjects:
        curves = s.explainer.curves
        if curves:
            features.append((s.name, inlay(curve_pictures(curves), s.name)))
        for heading, row in _telling_clips(s.evaluation):
            explanation = s.explainer(row)
            if explanation.maps:
                pictures = inlay(map_pictures(explanation), f"{s.name}, {heading}:")
                attention.append((f"{s.name}: {heading}", explanation, pictures))
    return {"features": features, "attention": attention}


def _telling_clips(evaluation: Evaluation) -> list[tuple[str, int]]:
    """Choose the clips whose attention is shown."""
    predicted = evaluation.predictions["multimodal"].mean(0)
    return [
        ("the most positive prediction", int(np.argmax(predicted))),
        ("the most negative prediction", int(np.argmin(predicted))),
        ("the largest error", facts.worst_rows(evaluation, 1)[0]),
    ]


def _commands(subjects: Sequence[Subject], data: SentimentData, split: str) -> Iterator[str]:
    """Write the commands that lead to the page."""
    for s in subjects:
        yield from training_commands(s.explainer.run)
    runs = [str(s.explainer.run.folder) for s in subjects]
    for name in ("evaluate", "report"):
        yield shlex.join(["imlcmm", name, *runs, "--data", str(data.path), "--split", split])
