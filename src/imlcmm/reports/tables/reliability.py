"""Whether a run's confidence and intervals, measured on validation, hold on another split."""

from collections.abc import Mapping, Sequence
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
        low: Lower end of its 95 % interval over source videos and seeds.
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
    frames = [{m: int(clips.valid_frames(m, row).sum()) for m in MODALITIES} for row in range(len(clips))]
    read = [{m: steps for m, steps in each.items() if steps} for each in frames]
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
    read: Sequence[Mapping[str, int]],
    neutral: float,
) -> Reliability | None:
    """Compare one head; None where nothing of it is calibrated or labelled."""
    predicted, label = evaluation.predictions[head], evaluation.labels[:, TARGETS.index(head)]
    if not np.isfinite(label).any():
        label = evaluation.labels[:, 0]
    promised = [_promises(head, *pair, read) for pair in zip(calibrations, predicted, strict=True)]
    value, confidence, low, high = np.moveaxis(np.array(promised), -1, 0)
    known = np.isfinite(label) & np.isfinite(confidence).all(0)
    if not known.any():
        return None
    value, confidence, low, high = (each[:, known] for each in (value, confidence, low, high))
    label = label[known]
    right = (value > neutral) == (label > neutral)
    inside = ((low <= label) & (label <= high)).astype(float)
    videos = np.asarray(evaluation.videos)[known].tolist()
    draws = bootstrap(lambda p, _: {"coverage": float(p.mean())}, list(inside), label, videos)
    return Reliability(
        head, int(known.sum()), float(confidence.mean()), float(right.mean()), _bins(confidence, right),
        float(inside.mean()), *interval(draws["coverage"]), float((high - low).mean() / 2),
    )  # fmt: skip


def _promises(
    head: str, calibration: Calibration, predicted: np.ndarray, read: Sequence[Mapping[str, int]]
) -> list[tuple[float, float, float, float]]:
    """Give value, confidence and the ends of the interval of each clip, NaN where the checkpoint has no curve.

    Args:
        head: multimodal, text, audio or vision.
        calibration: The checkpoint's curves.
        predicted: What the head says of each clip.
        read: The steps of each modality that the clip has.
    """
    found = []
    for sentiment, steps in zip(predicted.tolist(), read, strict=True):
        curve = calibration.curve(head, steps if head == "multimodal" else ())
        if curve is None or not np.isfinite(sentiment):
            found.append((np.nan,) * 4)
            continue
        length = next(iter(steps.values())) if head == "multimodal" else steps.get(head)
        found.append((curve.value(sentiment), curve.confidence(sentiment, length), *curve.interval(sentiment, length)))
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
