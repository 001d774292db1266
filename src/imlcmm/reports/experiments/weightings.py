"""Figure 6: how the weights of the four tasks go together with the metrics, over random weightings."""

import warnings
from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import ConstantInputWarning, pearsonr

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import TrainingError
from imlcmm.evaluation.evaluate import predict_seeds
from imlcmm.evaluation.rules import score
from imlcmm.evaluation.statistics import holm
from imlcmm.evaluation.tables import markdown
from imlcmm.models.base import SentimentModel
from imlcmm.progress import Progress
from imlcmm.reports.experiments.findings import SURE
from imlcmm.reports.experiments.laboratory import Laboratory
from imlcmm.reports.experiments.runs import Setting
from imlcmm.reports.experiments.settings import weightings
from imlcmm.reports.tables.figures import draw_correlations
from imlcmm.reports.tables.published import published_beside
from imlcmm.reports.tables.results import name_data, write_result

FEWEST = 3


def figure6(lab: Laboratory) -> str:
    """Correlate random weights of the four tasks with the metrics: figure6.md, .csv (each weighting), .tex and .png.

    Returns:
        The Markdown.

    Raises:
        TrainingError: If fewer than three weightings are left.
    """
    settings, data = weightings(lab.draws), lab.data
    failures = lab.train(settings, seeds=1)
    left = [setting for setting in settings if setting.name not in failures]
    if len(left) < FEWEST:
        raise TrainingError(f"{len(left)} weightings were trained; a correlation needs {FEWEST} or more")
    table = pd.DataFrame([_row(setting, lab.load(setting), data) for setting in Progress(left, desc="scoring")])
    weights = list(left[0].options)
    metrics = [name for name in table.columns if name not in weights]
    correlation, p_value = correlate(table, weights, metrics)
    caption = (
        f"Correlation of the tasks' weights with the metrics over {len(table)} random weightings, one seed each. "
        f"{name_data(data)}, {len(data.test)} test clips. In brackets: may be chance "
        f"(p ≥ {SURE:g}, adjusted for {correlation.size} cells after Holm)."
    )
    sure = p_value < SURE
    shown = correlation.map("{:.2f}".format).where(sure, correlation.map("({:.2f})".format))
    cells = shown.rename_axis("weight of").reset_index()
    text = "\n\n".join(["## figure6", caption, markdown(cells), published_beside(data.spec.kind, "figure6")]) + "\n"
    picture = write_result(lab.folder, "figure6", text, table, cells, caption)
    draw_correlations(correlation, sure, caption, picture)
    return text


def correlate(table: pd.DataFrame, weights: Sequence[str], metrics: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Correlate weights (rows) with metrics (columns): Pearson's r, and p-values adjusted for the number of cells."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConstantInputWarning)  # a constant metric has no correlation: NaN says so
        found = [[pearsonr(table[w], table[m]) for m in metrics] for w in weights]
    names = [w.removesuffix("_weight")[0].upper() for w in weights]
    adjusted = np.reshape(holm([cell.pvalue for row in found for cell in row]), (len(weights), len(metrics)))
    correlation = [[float(cell.statistic) for cell in row] for row in found]
    return pd.DataFrame(correlation, names, metrics), pd.DataFrame(adjusted, names, metrics)


def _row(setting: Setting, models: Sequence[SentimentModel], data: SentimentData) -> dict[str, float]:
    (predicted,) = predict_seeds(models[:1], data)["multimodal"]
    return {**setting.options, **score(data.rules, predicted, data.test.labels[:, 0].numpy())}
