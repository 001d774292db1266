"""Score runs on a split that training never read."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from imlcmm.calibration import Calibration
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.evaluation.calibrated import calibrated, calibration_of
from imlcmm.evaluation.oracle import oracle_scores
from imlcmm.evaluation.rules import score
from imlcmm.evaluation.statistics import Comparison, Scores, bootstrap, compare, interval
from imlcmm.evaluation.tables import comparison_table, markdown, score_table, without_repeats
from imlcmm.files import write_json, write_text
from imlcmm.models.base import SentimentModel
from imlcmm.models.inference import predict_split
from imlcmm.models.spread import NEARLY_CONSTANT, spread
from imlcmm.training.run import Run, load_run
from imlcmm.types import TARGETS, Batch

TOGETHER = ", seeds together"


@dataclass(frozen=True)
class Evaluation:
    """What one run (or one model) scores on a split.

    Attributes:
        name: Name of the run.
        kind: The data set's rules.
        simulated: Whether the clips are simulated.
        predictions: For each head, (seeds, clips) sentiment; NaN where the clip lacks the modality.
        labels: (clips, 4) labels in the order of TARGETS, NaN where there is none.
        ids: Identifier of each clip.
        videos: Source video of each clip.
        scores: For each row of the table, the scores of each seed. Rows are "multimodal", each unimodal head against
            its own label ("text") and against the multimodal one ("text for M"), and "source-disjoint", the multimodal
            head on the clips whose video occurs in no other split.
        draws: For the same rows, each metric on bootstrap resamples of the videos and seeds.
        reference: Scores of the constant predictor and, for simulated clips, of the oracle.
        units: What is resampled beside the seeds: source videos, or clips where the data does not tell their sources.
        calibrated: Whether outputs were put in the place of the mean label of such outputs on validation.
    """

    name: str
    kind: str
    simulated: bool
    predictions: Mapping[str, np.ndarray]
    labels: np.ndarray
    ids: Sequence[str]
    videos: Sequence[str]
    scores: Mapping[str, Sequence[Scores]]
    draws: Mapping[str, Mapping[str, np.ndarray]]
    reference: Mapping[str, Scores]
    units: str = "source videos"
    calibrated: bool = False

    @property
    def gap_closed(self) -> float | None:
        """Share of the way from the constant predictor's MAE to the oracle's that M goes; None without an oracle."""
        if "oracle TAV" not in self.reference:
            return None
        constant, best = self.reference["constant"]["MAE"], self.reference["oracle TAV"]["MAE"]
        return (constant - self.mean("MAE")) / (constant - best)

    @property
    def constant_seeds(self) -> int:
        """How many seeds say nearly the same of every clip."""
        label = self.labels[:, 0]
        return sum(spread(predicted, label) < NEARLY_CONSTANT for predicted in self.predictions["multimodal"])

    @property
    def scored(self) -> str:
        """Say what was scored, if it was not the outputs; a sentence and a space."""
        moved = "Outputs stand in the place of the mean label of such ones on validation, as in `predict`. "
        return moved if self.calibrated else ""

    def mean(self, metric: str) -> float:
        """Average a metric of the multimodal head over the seeds."""
        return float(np.mean([s[metric] for s in self.scores["multimodal"]]))

    def minus(self, other: "Evaluation") -> dict[str, Comparison]:
        """Compare the multimodal head with another run's on the same clips, in every metric."""
        mine, its = self.draws["multimodal"], other.draws["multimodal"]
        return {m: compare(self.mean(m) - other.mean(m), mine[m], its[m]) for m in mine}

    def to_frame(self) -> pd.DataFrame:
        """Give one row a scored head and metric: mean and population deviation over seeds, and the interval."""
        rows = []
        for head, seeds in self.scores.items():
            for metric in seeds[0]:
                values = [s[metric] for s in seeds]
                low, high = interval(self.draws[head][metric])
                mean, std = float(np.mean(values)), float(np.std(values))
                rows.append((self.name, head, metric, mean, std, low, high, len(values)))
        return pd.DataFrame(rows, columns=["run", "head", "metric", "mean", "std", "low", "high", "seeds"])

    def predictions_frame(self) -> pd.DataFrame:
        """Give one row a clip: identifier, labels, and each head's prediction of each seed."""
        table = pd.DataFrame({"id": list(self.ids)})
        for i, target in enumerate(TARGETS):
            table[f"label_{target}"] = self.labels[:, i]
        for head, seeds in self.predictions.items():
            for i, values in enumerate(seeds):
                table[f"{head}_{i}"] = values
        return table


@dataclass(frozen=True)
class Report:
    """The evaluations of several runs on the same clips, and their paired comparisons."""

    evaluations: Sequence[Evaluation]
    comparisons: Mapping[str, Mapping[str, Comparison]]

    @classmethod
    def of(cls, evaluations: Sequence[Evaluation]) -> "Report":
        """Compare each pair."""
        return cls(evaluations, {f"{a.name} − {b.name}": a.minus(b) for a, b in combinations(evaluations, 2)})

    @cached_property
    def table(self) -> pd.DataFrame:
        """Lay the scores out: a row a run and head; a row that would repeat the one above it is left out."""
        frame = pd.concat([e.to_frame() for e in self.evaluations])
        return score_table(without_repeats(frame), self.evaluations[0].reference)

    @property
    def shares_no_videos(self) -> bool:
        """Whether the source-disjoint clips are all of them."""
        return all("source-disjoint" in e.scores for e in self.evaluations) and "source-disjoint" not in set(
            self.table["head"]
        )

    @property
    def markdown(self) -> str:
        """The whole report as Markdown."""
        first = self.evaluations[0]
        parts = [f"Scores on {len(first.labels)} clips by the rules of {first.kind}; mean ± deviation over seeds, "]
        parts[0] += f"95 % interval over {resampled(self.evaluations)}."
        parts[0] += f" {first.scored}".rstrip()
        if first.simulated:
            parts.insert(0, "**Simulated data: not comparable with published numbers.**")
        parts.append(markdown(self.table))
        if self.shares_no_videos:
            parts.append("No clip's source video occurs in another split: source-disjoint scores would be the same.")
        parts += [*self.constants, *self.gaps]
        for pair, tests in self.comparisons.items():
            parts += [
                f"{pair} (paired bootstrap over {resampled(self.evaluations)}):",
                markdown(comparison_table(tests)),
            ]
        return "\n\n".join(parts) + "\n"

    @property
    def constants(self) -> list[str]:
        """Say which runs have seeds that have learned nothing."""
        return [
            f"**{e.name}: {e.constant_seeds} of {len(e.predictions['multimodal'])} seeds say nearly the same of every "
            f"clip** (predictions vary by less than {NEARLY_CONSTANT:.0%} of the labels' deviation)."
            for e in self.evaluations
            if e.constant_seeds
        ]

    @property
    def gaps(self) -> list[str]:
        """Say how near each run comes to the oracle of simulated data."""
        return [
            f"{e.name} closes {100 * e.gap_closed:.1f} % of the MAE gap from the constant predictor to the oracle."
            for e in self.evaluations
            if e.gap_closed is not None
        ]

    def write(self, folder: Path) -> None:
        """Write evaluation.json, .csv and .md, and each run's predictions, each in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        frame = pd.concat([e.to_frame() for e in self.evaluations])
        content = {
            "simulated": self.evaluations[0].simulated,
            "scores": json.loads(frame.to_json(orient="records")),
            "reference": {k: _finite(v) for k, v in self.evaluations[0].reference.items()},
            "gap_closed": {e.name: e.gap_closed for e in self.evaluations},
            "comparisons": {
                pair: {m: _finite(c._asdict()) for m, c in tests.items()} for pair, tests in self.comparisons.items()
            },
        }
        write_json(folder / "evaluation.json", content)
        write_text(folder / "evaluation.csv", frame.to_csv(index=False))
        write_text(folder / "evaluation.md", self.markdown)
        for evaluation in self.evaluations:
            write_text(
                folder / f"predictions-{evaluation.name}.csv", evaluation.predictions_frame().to_csv(index=False)
            )


def resampled(evaluations: Sequence[Evaluation]) -> str:
    """Say what the intervals and tests of some evaluations are over."""
    units, several = evaluations[0].units, [len(e.scores["multimodal"]) > 1 for e in evaluations]
    if all(several):
        return f"{units} and seeds"
    return f"{units} and, where a run has several, seeds" if any(several) else f"{units}, of one seed alone"


def evaluate(
    models: Sequence[SentimentModel],
    data: SentimentData,
    split: str = "test",
    name: str = "",
    calibrations: Sequence[Calibration] = (),
) -> Evaluation:
    """Score the models of several seeds on a split.

    Args:
        models: The selected model of each seed.
        data: Data set; its train split gives the constant predictor.
        split: Split to score.
        name: What to call the models.
        calibrations: That of each model, if it is to be scored for what `predict` says with it.

    Raises:
        ModelError: If a model was built for other features or labels.
        DataError: If the split is missing.
    """
    predictions = predict_seeds(models, data, split)
    if calibrations:
        predictions = calibrated(calibrations, predictions, data.splits[split])
    found = rate(name or type(models[0]).__name__, data, split, predictions)
    return replace(found, calibrated=bool(calibrations))


def evaluate_run(
    run: Run, data: SentimentData, split: str = "test", name: str = "", *, calibrated: bool = False
) -> Evaluation:
    """Score the seeds of a run on a split.

    Args:
        run: The run.
        data: Data set.
        split: Split to score.
        name: What to call it.
        calibrated: Whether to score what `predict` says.

    Raises:
        ModelError: As `evaluate`, or if a seed has no calibration though it is asked for.
        DataError: If the split is missing.
    """
    curves = [calibration_of(seed / "best") for seed in run.seeds] if calibrated else ()
    return evaluate([run.load(seed) for seed in run.seeds], data, split, name, curves)


def seeds_together(found: Evaluation, data: SentimentData, split: str) -> Evaluation:
    """Score the seeds of an evaluation as one model that says their mean."""
    mean = {head: values.mean(axis=0, keepdims=True) for head, values in found.predictions.items()}
    return replace(rate(found.name + TOGETHER, data, split, mean), calibrated=found.calibrated)


def predict_seeds(
    models: Sequence[SentimentModel],
    data: SentimentData,
    split: str = "test",
    change: Callable[[Batch], Batch] | None = None,
) -> dict[str, np.ndarray]:
    """Predict a split by the models of several seeds: (seeds, clips) sentiment of each head.

    Args:
        models: The selected model of each seed.
        data: Data set.
        split: Split to predict.
        change: What is done to each batch before a model reads it.

    Raises:
        ModelError: If a model was built for other features or labels.
        DataError: If the split is missing.
    """
    for model in models:
        model.check_fits(data.spec)
    clips: ClipDataset = getattr(data, split)
    seeds = [predict_split(model, clips, change=change) for model in models]
    return {head: np.stack([s[head] for s in seeds]) for head in seeds[0]}


def rate(
    name: str,
    data: SentimentData,
    split: str,
    predictions: Mapping[str, np.ndarray],
    keep: np.ndarray | None = None,
) -> Evaluation:
    """Score predictions of a split.

    Args:
        name: What to call whoever made them.
        data: Data set; its train split gives the constant predictor.
        split: The split that was predicted.
        predictions: For each head, (seeds, clips) sentiment.
        keep: (clips,) bool, which clips count; None counts all.
    """
    clips: ClipDataset = getattr(data, split)
    disjoint = source_disjoint(data, split)
    if keep is not None:
        clips, disjoint = clips.subset(np.flatnonzero(keep)), disjoint[keep]
        predictions = {head: values[:, keep] for head, values in predictions.items()}
    labels, videos = clips.labels.numpy(), np.asarray(clips.videos)
    rows = table_rows(predictions, labels, disjoint, unimodal_labels=data.spec.unimodal_labels)
    scorer = partial(score, data.rules)
    scores = {row: [scorer(p[used], y[used]) for p in values] for row, (values, y, used) in rows.items()}
    draws = {
        row: bootstrap(scorer, list(values[:, used]), y[used], videos[used].tolist())
        for row, (values, y, used) in rows.items()
    }
    return Evaluation(
        name, data.spec.kind, data.simulated, predictions, labels, clips.ids, clips.videos, scores, draws,
        reference_scores(data, clips), data.units,
    )  # fmt: skip


def table_rows(
    predictions: Mapping[str, np.ndarray], labels: np.ndarray, disjoint: np.ndarray, *, unimodal_labels: bool
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """List what is scored: predictions (seeds, clips), truth (clips,), and which clips count."""
    everything = np.ones(len(labels), dtype=bool)
    rows = {"multimodal": (predictions["multimodal"], labels[:, 0], everything)}
    if disjoint.any():
        rows["source-disjoint"] = (predictions["multimodal"], labels[:, 0], disjoint)
    for i, head in enumerate(TARGETS):
        if i and head in predictions and np.isfinite(predictions[head]).any():
            if unimodal_labels:
                rows[head] = (predictions[head], labels[:, i], everything)
            rows[f"{head} for M"] = (predictions[head], labels[:, 0], everything)
    return rows


def source_disjoint(data: SentimentData, split: str) -> np.ndarray:
    """Mark the clips of a split whose source video occurs in no other labelled split; none if sources are unknown."""
    if not data.sources_known:
        return np.zeros(len(data.splits[split]), dtype=bool)
    seen = {video for name, other in data.splits.items() if name not in (split, "unlabelled") for video in other.videos}
    return np.array([video not in seen for video in data.splits[split].videos])


def reference_scores(data: SentimentData, clips: ClipDataset) -> dict[str, Scores]:
    """Score the median label of train for every clip and, on simulated clips, the oracle."""
    label = clips.labels[:, 0].numpy()
    found = {"constant": score(data.rules, np.full_like(label, np.nanmedian(data.train.labels[:, 0])), label)}
    if clips.oracle is not None:
        found |= {f"oracle {subset}": oracle_scores(clips, subset) for subset in ("T", "A", "V", "TAV")}
    return found


def evaluate_runs(
    runs: Sequence[Path | str],
    data: SentimentData,
    split: str = "test",
    *,
    calibrated: bool = False,
    together: bool = False,
) -> Report:
    """Evaluate runs, by folder or a name that `find_pretrained` knows, on one data set and compare each pair.

    Args:
        runs: The runs.
        data: Data set.
        split: Split to score.
        calibrated: Whether to score what `predict` says: outputs in the place of the mean label of such outputs on
            validation.
        together: Whether the mean of each run's seeds is scored too, as one model.

    Raises:
        TrainingError: If a folder is not a finished run.
        ModelError: If a run has no calibration though it is asked for.
    """
    opened = [load_run(folder) for folder in runs]
    found: list[Evaluation] = []
    for name, run in zip(distinct_names([Path(run) for run in runs]), opened, strict=True):
        found.append(evaluate_run(run, data, split, name, calibrated=calibrated))
        if together:
            found.append(seeds_together(found[-1], data, split))
    return Report.of(found)


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Name each run by its folder, with as many of the folders above as tell it from the others.

    Raises:
        DataError: If a folder is given twice.
    """
    whole = [folder.resolve().parts[1:] for folder in folders]
    if len(set(whole)) < len(whole):
        raise DataError(f"a run is given twice among {', '.join(map(str, folders))}; give each once")
    depth = next(n for n in range(1, max(map(len, whole)) + 1) if len({parts[-n:] for parts in whole}) == len(whole))
    return ["-".join(parts[-depth:]) for parts in whole]


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {k: float(v) if np.isfinite(v) else None for k, v in values.items()}
