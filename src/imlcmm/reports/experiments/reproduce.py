"""The paper's tables and figures, and three experiments beyond it: each a function that trains, scores and writes."""

from collections.abc import Callable

from imlcmm.evaluation.rules import metric_names
from imlcmm.evaluation.tables import UNSCALED
from imlcmm.reports.experiments import settings as experiments
from imlcmm.reports.experiments.conflict import conflict
from imlcmm.reports.experiments.findings import METRIC
from imlcmm.reports.experiments.laboratory import Laboratory
from imlcmm.reports.experiments.leaderboard import leaderboard
from imlcmm.reports.experiments.robustness import robustness
from imlcmm.reports.experiments.weightings import figure6
from imlcmm.reports.tables.classes import class_counts
from imlcmm.reports.tables.figures import draw_label_shares
from imlcmm.reports.tables.published import published_beside

_TASKS = "IML-CMM with heads for some modalities"


def table1(lab: Laboratory) -> str:
    """Count the clips of each split and class."""
    return class_counts(lab.data, lab.folder)


def table2(lab: Laboratory) -> str:
    """Compare all models."""
    board = leaderboard(
        lab.data, lab.models, folder=lab.runs, seeds=lab.seeds, jobs=lab.jobs, options=lab.options, ray=lab.ray
    )
    text = "\n\n".join(["## table2", board.markdown, published_beside(lab.data.spec.kind, "table2", "later")]) + "\n"
    board.write(lab.folder, "table2", text)
    return text


def table3(lab: Laboratory) -> str:
    """Add unlabelled clips to the training."""
    title = "Training with unlabelled clips, by the scores on the labelled test split"
    return lab.find("table3", title, experiments.SEMI_SUPERVISED, published="table3").markdown


def table4(lab: Laboratory) -> str:
    """Leave out one component of IML-CMM each."""
    return lab.find("table4", "IML-CMM without one component each", experiments.ABLATIONS, published="table4").markdown


def table5(lab: Laboratory) -> str:
    """Leave out heads of single modalities."""
    return lab.find("table5", _TASKS, experiments.TASKS, published="table5").markdown


def figure4(lab: Laboratory) -> str:
    """Draw the accuracies of table 5."""
    shown = [m for m in metric_names(lab.data.rules) if m not in UNSCALED]
    return lab.find("figure4", f"{_TASKS}: accuracies", experiments.TASKS, shown, "table5").markdown


def figure5(lab: Laboratory) -> str:
    """Draw the errors and correlations of table 5."""
    shown = [m for m in metric_names(lab.data.rules) if m in UNSCALED]
    return lab.find("figure5", f"{_TASKS}: error and correlation", experiments.TASKS, shown, "table5").markdown


def few_clips(lab: Laboratory) -> str:
    """Take most labels away, and hold IML-CMM against the plainest model; each seed draws the clips it learns."""
    settings = experiments.few_clips([n for n in experiments.FEW_CLIPS if n <= len(lab.data.train)])
    return lab.find("few-clips", "IML-CMM and LF-DNN on few labelled clips", settings).markdown


def levers(lab: Laboratory) -> str:
    """Go beyond the paper, one lever at a time, by validation alone: the test split is for what is chosen by it."""
    title = "IML-CMM beyond its paper, by the scores on validation"
    return lab.find("levers", title, experiments.LEVERS, split="valid").markdown


def label_efficiency(lab: Laboratory) -> str:
    """Take labels away."""
    settings = experiments.label_shares()
    found = lab.find("label-efficiency", "IML-CMM trained on a share of the labels", settings)
    frame = found.frame().query(f"head == 'multimodal' and metric == '{METRIC}'").set_index("setting")
    kept = [s for s in settings if s.name in found.evaluations]
    frame = frame.loc[[s.name for s in kept]].assign(
        share=[s.label_share for s in kept], unlabelled=[s.unlabelled for s in kept]
    )
    draw_label_shares(frame, found.caption, lab.folder / "label-efficiency-curve.png")
    return found.markdown


EXPERIMENTS: dict[str, Callable[[Laboratory], str]] = {
    **{f.__name__: f for f in (table1, table2, table3, table4, table5, figure4, figure5, figure6, robustness, levers)},
    "few-clips": few_clips,
    "label-efficiency": label_efficiency,
    "conflict": conflict,
}
"""By their names: each trains what is missing, writes its files into the folder, and gives its Markdown."""
