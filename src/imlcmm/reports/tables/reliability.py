"""Whether a run's confidence and intervals, measured on validation, hold on another split."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import binomtest

from imlcmm.calibration import Calibration, read_calibration
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.evaluation.evaluate import Evaluation
from imlcmm.evaluation.statistics import bootstrap, interval
from imlcmm.training.run import Run
from imlcmm.types import MODALITIES, TARGETS

BINS = 8


class Bin(NamedTuple):
    """Clips of similar confidence: their mean confidence, the share with the right polarity and its 95 % interval."""

    confidence: float
    right: float
    low: float
    high: float


@dataclass(frozen=True)
class Reliability:
    """How the promises of one head compare with what came.

    Attributes:
        head: multimodal, text, audio or vision.
        clips: Clips with a prediction, a label and a calibrated curve.
        confidence: Mean confidence over clips and seeds.
        right: Share of clips with the right polarity, averaged over seeds.
        bins: Clips in order of confidence, in equal parts.
        coverage: Share of labels inside the 90 % interval, averaged over seeds.
        low: Lower end of its 95 % interval over source videos.
        high: Upper end of it.
        half_width: Mean half width of the 90 % intervals, in the label's unit.
    """

    head: str
    clips: int
    confidence: float
    right: float
    bins: Sequence[Bin]
    coverage: float
    low: float
    high: float
    half_width: float


def reliability(run: Run, evaluation: Evaluation, clips: ClipDataset) -> list[Reliability]:
    """Compare promise and outcome of each calibrated head; empty for a run without calibration.

    Args:
        run: The run.
        evaluation: Its evaluation on the clips, of all its seeds.
        clips: The split.
    """
    calibrations = [read_calibration(seed / "best") for seed in run.seeds]
    read = [frozenset(m for m in MODALITIES if clips.valid_frames(m, row).any()) for row in range(len(clips))]
    judged = [
        _judge(head, evaluation, [c for c in calibrations if c is not None], read, clips.spec.neutral)
        for head in evaluation.predictions
        if None not in calibrations
    ]
    return [each for each in judged if each is not None]


def _judge(
    head: str,
    evaluation: Evaluation,
    calibrations: Sequence[Calibration],
    read: Sequence[Collection[str]],
    neutral: float,
) -> Reliability | None:
    """Compare one head; None where nothing of it is calibrated or labelled."""
    predicted, label = evaluation.predictions[head], evaluation.labels[:, TARGETS.index(head)]
    if not np.isfinite(label).any():
        label = evaluation.labels[:, 0]
    promised = np.array([_promises(head, *pair, read) for pair in zip(calibrations, predicted, strict=True)])
    confidence, width = promised[..., 0], promised[..., 1]
    known = np.isfinite(label) & np.isfinite(confidence).all(0)
    if not known.any():
        return None
    confidence, width, predicted, label = confidence[:, known], width[:, known], predicted[:, known], label[known]
    right = (predicted > neutral) == (label > neutral)
    inside = (np.abs(predicted - label) <= width).astype(float)
    videos = np.asarray(evaluation.videos)[known].tolist()
    draws = bootstrap(lambda p, _: {"coverage": float(p.mean())}, list(inside), label, videos)
    return Reliability(
        head, int(known.sum()), float(confidence.mean()), float(right.mean()), _bins(confidence, right),
        float(inside.mean()), *interval(draws["coverage"]), float(width.mean()),
    )  # fmt: skip


def _promises(
    head: str, calibration: Calibration, predicted: np.ndarray, read: Sequence[Collection[str]]
) -> list[tuple[float, float]]:
    """Give confidence and half width for each clip, NaN where the checkpoint has no curve."""
    found = []
    for sentiment, modalities in zip(predicted.tolist(), read, strict=True):
        curve = calibration.curve(head, modalities if head == "multimodal" else ())
        known = curve is not None and np.isfinite(sentiment)
        found.append((curve.confidence(sentiment), curve.half_width) if curve and known else (np.nan, np.nan))
    return found


def _bins(confidence: np.ndarray, right: np.ndarray) -> list[Bin]:
    """Cut (seeds, clips) in order of confidence into equal parts; seeds share clips, so intervals count clips once."""
    seeds, order = len(confidence), np.argsort(confidence, axis=None, kind="stable")
    found = []
    for part in np.array_split(order, min(BINS, max(1, confidence.size // 10))):
        share, clips = float(right.ravel()[part].mean()), max(1, round(len(part) / seeds))
        ends = binomtest(round(share * clips), clips).proportion_ci(method="wilson")
        found.append(Bin(float(confidence.ravel()[part].mean()), share, float(ends.low), float(ends.high)))
    return found
