"""How much worse each model gets when the test clips are damaged in ways that it was not trained on."""

from collections.abc import Sequence

import pandas as pd

from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import TrainingError
from imlcmm.evaluation.corruption import Corruption, corruptions
from imlcmm.evaluation.evaluate import Evaluation, predict_seeds, rate
from imlcmm.evaluation.statistics import holm, interval
from imlcmm.evaluation.tables import markdown, number
from imlcmm.models.base import SentimentModel
from imlcmm.progress import Progress
from imlcmm.reports.experiments.findings import METRIC, SURE, metrics_of
from imlcmm.reports.experiments.laboratory import Laboratory
from imlcmm.reports.experiments.settings import models
from imlcmm.reports.tables.figures import draw_severity
from imlcmm.reports.tables.results import name_data, write_result


def robustness(lab: Laboratory) -> str:
    """Score all models on damaged clips, and write robustness.md, .csv (all metrics), .tex and .png.

    Returns:
        The Markdown.

    Raises:
        TrainingError: If no model is left.
    """
    settings, data = models(lab.models), lab.data
    failures = lab.train(settings)
    left = [setting for setting in settings if setting.name not in failures]
    if not left:
        raise TrainingError("no model came to an end; the logs beside the runs say why")
    damages = corruptions({m: deviation for m, (_, deviation) in data.train.statistics().items()})
    rows = []
    for setting in Progress(left, desc="damaging", unit="model"):
        rows += compare(setting.name, lab.load(setting), damages, data)
    frame = pd.DataFrame(rows)
    worst = strongest(frame)
    table = _table(worst)
    clips = f"{name_data(data)}, {len(data.test)} clips."
    over = f"{data.units} and seeds" if lab.seeds > 1 else f"{data.units}, of one seed alone"
    caption = (
        f"{METRIC} on damaged test clips, each damage at its strongest. {clips} A star: differs from clean "
        f"(p < {SURE}, paired bootstrap over {over}, adjusted after Holm for the damages of a model)."
    )
    text = "\n\n".join(["## robustness", caption, markdown(table), _words(worst)]) + "\n"
    picture = write_result(lab.folder, "robustness", text, frame, table, caption)
    curves = frame[(frame["metric"] == METRIC)].rename(columns={"mean": "value"})
    draw_severity(_from_clean(curves), f"{METRIC} on damaged test clips. {clips}", picture)
    return text


def strongest(frame: pd.DataFrame) -> pd.DataFrame:
    """Take each damage at its strongest, in MAE; p-values are adjusted for the damages of a model.

    Adjusted for all models too, no bootstrap of a thousand resamples could show a difference.
    """
    worst = frame[frame["metric"] == METRIC].groupby(["model", "corruption"], sort=False).tail(1)
    return worst.assign(p=worst.groupby("model")["p"].transform(lambda p: holm(p.tolist())))


def compare(
    name: str, trained: Sequence[SentimentModel], damages: Sequence[Corruption], data: SentimentData
) -> list[dict[str, object]]:
    """Give a row a damage and metric: the clean score, the damaged one with its interval, and the paired test."""
    clean = _rate(name, trained, data, None)
    rows: list[dict[str, object]] = []
    for damage in damages:
        found = _rate(name, trained, data, damage)
        tests = found.minus(clean)
        for metric in metrics_of(found):
            low, high = interval(found.draws["multimodal"][metric])
            rows.append(
                {"model": name, "corruption": damage.name, "severity": damage.severity, "scale": damage.scale,
                 "metric": metric, "clean": clean.mean(metric), "mean": found.mean(metric), "low": low, "high": high,
                 "difference": tests[metric].difference, "p": tests[metric].p_value}
            )  # fmt: skip
    return rows


def _rate(name: str, trained: Sequence[SentimentModel], data: SentimentData, damage: Corruption | None) -> Evaluation:
    predicted = predict_seeds(trained, data, change=damage.change if damage else None)
    return rate(name, data, "test", {"multimodal": predicted["multimodal"]})


def _table(worst: pd.DataFrame) -> pd.DataFrame:
    """Lay out a row a model and a column a damage."""
    rows = []
    for name, found in worst.groupby("model", sort=False):
        cells = {
            r.corruption: number(METRIC, r.mean) + ("*" if r.p < SURE else "") for r in found.itertuples(index=False)
        }
        rows.append({"model": name, "clean": number(METRIC, found["clean"].iloc[0]), **cells})
    return pd.DataFrame(rows)


def _words(worst: pd.DataFrame) -> str:
    """Say for each damage which model it costs least and most."""
    lines = []
    for damage, found in worst.groupby("corruption", sort=False):
        least, most = found.loc[found["difference"].idxmin()], found.loc[found["difference"].idxmax()]
        lines.append(
            f"- {damage}: {METRIC} rises by {least['difference']:+.3f} ({least['model']}) to "
            f"{most['difference']:+.3f} ({most['model']}), on average {found['difference'].mean():+.3f}."
        )
    return "\n".join(lines)


def _from_clean(curves: pd.DataFrame) -> pd.DataFrame:
    """Let each curve begin with the clean clips, at severity 0."""
    clean = curves.drop_duplicates(["model", "corruption"]).assign(severity=0.0)
    return pd.concat([clean.assign(value=clean["clean"]), curves]).sort_values(["severity"], kind="stable")
