"""The simulator: CH-SIMS-v2-like data sets of any size from a seed, with the best possible predictions of every clip.

Each modality of a clip is a sequence of latent frames. Three informative moments, at random places, carry a cue (a
fixed direction) together with a noisy value of the modality's own label. Frames without a cue carry values that mean
nothing, and so does the moment in the opening, which has the cue but another sentiment: averaging over time loses,
attending to the cue and knowing where in the clip one is wins. A fixed random rotation hides the directions among the
features, whose columns differ in scale and offset like measured ones.

The oracle knows the generator *and* which moments are informative; what those moments say is then summed up by the mean
of their values, and Bayes' rule on the label distribution is exact. No predictor that must find the moments for itself
does better, and the cues are strong enough that a good one comes close.

Nothing here is CH-SIMS v2: every file says that it is simulated.
"""

import logging
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from imlcmm.datasets.field.export import export_pickle
from imlcmm.datasets.simulation.evidence import Camera, Evidence
from imlcmm.datasets.simulation.label_model import CLASS_COUNTS, LEVELS, SUBSETS, LabelModel, label_model, level_counts
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError
from imlcmm.types import MODALITIES, TARGETS, Clip

__all__ = ["LEVELS", "SUBSETS", "Evidence", "Size", "oracle_predictions", "simulate", "simulated_clips"]

_logger = logging.getLogger(__name__)

NOTICE = "Simulated data: not CH-SIMS v2; never compare with published numbers"


@dataclass(frozen=True)
class Size:
    """How many clips a simulated data set has, and what each modality looks like.

    Attributes:
        clips: Clips in each split.
        evidence: Sequence of each modality.
    """

    clips: Mapping[str, int]
    evidence: Mapping[str, Evidence]


# The noise makes the best single-modality predictor of M reach a correlation of about .66, .65 and .60.
SIZES: Mapping[str, Size] = {
    "demo": Size(
        {"train": 1600, "valid": 300, "test": 500, "unlabelled": 0},
        {
            "text": Evidence(24, 32, 1, 0.35, 0.8),
            "audio": Evidence(60, 16, 3, 0.52, 1.2),
            "vision": Evidence(40, 24, 2, 0.58, 1.2),
        },
    ),
    "paper": Size(
        {"train": 2722, "valid": 647, "test": 1034, "unlabelled": 10161},
        {
            "text": Evidence(50, 768, 1, 0.35, 0.8),
            "audio": Evidence(925, 25, 3, 0.52, 1.2),
            "vision": Evidence(232, 177, 2, 0.58, 1.2),
        },
    ),
}


def simulated_clips(size: Size, seed: int) -> Iterator[tuple[str, Clip, np.ndarray | None]]:
    """Yield split, clip and oracle posterior (7, 11) one clip at a time; the unlabelled have neither labels nor oracle.

    A clip depends on the seed, its split, its place and the split's size, and on no other clip's features.
    """
    table = label_model()
    cameras = {m: Camera(size.evidence[m], [seed, 1, k]) for k, m in enumerate(MODALITIES)}
    identifiers = _identifiers(size.clips, np.random.default_rng([seed, 2]))
    for number, (split, clips) in enumerate(size.clips.items()):
        if not clips:
            continue
        levels, prior = _levels(table, split, clips, np.random.default_rng([seed, 3, number]))
        for row in range(clips):
            random = np.random.default_rng([seed, 4, number, row])
            sequences, statistics = {}, {}
            for modality, level in zip(MODALITIES, levels[row, 1:], strict=True):
                sequences[modality], statistics[modality] = cameras[modality].film(float(LEVELS[level]), random)
            tokens = _tokens(len(sequences["text"]), random)
            transcript = f"simulated clip {row + 1} of {split}, {len(tokens)} tokens"
            if split == "unlabelled":
                yield split, Clip(identifiers[split][row], transcript, sequences, {}, tokens), None
                continue
            labels = {target: float(LEVELS[level]) for target, level in zip(TARGETS, levels[row], strict=True)}
            likelihoods = np.stack([size.evidence[m].likelihood(statistics[m]) for m in MODALITIES])
            clip = Clip(identifiers[split][row], transcript, sequences, labels, tokens)
            yield split, clip, table.posterior(prior, likelihoods)


def simulate(
    folder: Path | str,
    *,
    size: Literal["demo", "paper"] = "demo",
    seed: int = 0,
    unlabelled: int | None = None,
    train: int | None = None,
    valid: int | None = None,
    test: int | None = None,
    as_pickle: bool = False,
) -> Path:
    """Write a simulated data set, the same bytes for the same arguments, and return where it is.

    Args:
        folder: The store's folder, or the file with `as_pickle`.
        size: "demo" trains in minutes; "paper" has the clips, frames and widths of CH-SIMS v2.
        seed: Chooses labels, evidence and feature columns; not negative.
        unlabelled: Clips without labels, in place of the size's own number.
        train: Clips to train on, in place of the size's own number.
        valid: Clips to validate on, in place of the size's own number.
        test: Clips to test on, in place of the size's own number.
        as_pickle: Write the field's pickle instead of a store; it has no place for the oracle.

    Raises:
        DataError: If the size is unknown, a number makes no sense, or the place is in use or full.
    """
    wanted = {"train": train, "valid": valid, "test": test, "unlabelled": unlabelled}
    chosen = _size(size, wanted, seed)
    folder = Path(folder)
    if as_pickle:
        return _write_pickle(folder, chosen, size, seed)
    _write_store(folder, chosen, size, seed)
    return folder


def oracle_predictions(posterior: np.ndarray, subset: str = "TAV") -> dict[str, np.ndarray]:
    """Turn oracle posteriors into the best predictions of the multimodal label from some modalities.

    Args:
        posterior: (clips, 7, 11) probability of each level given each of SUBSETS.
        subset: Which modalities are seen, one of SUBSETS.

    Returns:
        "median" (least mean absolute error), "mean" (least squared error) and "mode" (most often right), (clips,) each.

    Raises:
        DataError: If there is no such subset, or the posterior has another shape.
    """
    if subset not in SUBSETS:
        raise DataError(f"The oracle knows no modalities {subset!r}; use one of {', '.join(SUBSETS)}.")
    posterior = np.asarray(posterior, dtype=np.float64)
    if posterior.ndim != 3 or posterior.shape[1:] != (len(SUBSETS), len(LEVELS)):
        raise DataError(f"An oracle posterior is (clips, {len(SUBSETS)}, {len(LEVELS)}), not {posterior.shape}.")
    table = posterior[:, SUBSETS.index(subset)]
    table = table / table.sum(axis=1, keepdims=True)
    half = (np.cumsum(table, axis=1) >= 0.5 - 1e-9).argmax(axis=1)
    return {"median": LEVELS[half], "mean": table @ LEVELS, "mode": LEVELS[table.argmax(axis=1)]}


def _size(size: str, wanted: dict[str, int | None], seed: int) -> Size:
    """Apply the user's numbers of clips to a size, and refuse what cannot be made."""
    if size not in SIZES:
        raise DataError(f"There is no simulated size {size!r}; use one of {', '.join(SIZES)}.")
    if seed < 0:
        raise DataError(f"The seed is {seed}; use 0 or more.")
    clips = {split: SIZES[size].clips[split] if count is None else count for split, count in wanted.items()}
    for split, count in clips.items():
        least = 0 if split == "unlabelled" else 1
        if count < least:
            raise DataError(f"The simulator was asked for {count} {split} clips; use {least} or more.")
    return Size(clips, SIZES[size].evidence)


def _write_store(folder: Path, chosen: Size, name: str, seed: int) -> None:
    """Write the store clip by clip, so that memory does not grow with the number of clips."""
    widths = {modality: chosen.evidence[modality].width for modality in MODALITIES}
    features = {modality: f"simulated-{widths[modality]}" for modality in MODALITIES}
    notes = {"notice": NOTICE, "size": name, "seed": seed, "clips": dict(chosen.clips), "oracle_subsets": list(SUBSETS)}
    with StoreWriter(folder, kind="simsv2", widths=widths, features=features, simulated=True, notes=notes) as writer:
        for split, clip, oracle in simulated_clips(chosen, seed):
            writer.add(split, clip, oracle)
    _logger.info("wrote %s (%s): %s", folder, ", ".join(f"{n} {s}" for s, n in chosen.clips.items() if n), NOTICE)


def _write_pickle(path: Path, chosen: Size, name: str, seed: int) -> Path:
    """Write the field's pickle by way of a store beside it, which is removed whatever happens."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".simulated-", dir=path.parent) as beside:
            store = Path(beside) / "store"
            _write_store(store, chosen, name, seed)
            export_pickle(SentimentData(store), path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}); free the disk or choose another place."
        ) from error
    return path


def _levels(table: LabelModel, split: str, clips: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw the levels (clips, 4) of every target, and give the share (11,) of each multimodal level in the split."""
    counts = level_counts(split if split in CLASS_COUNTS else "train", clips)
    multimodal = random.permutation(np.repeat(np.arange(len(LEVELS)), counts))
    return np.concatenate([multimodal[:, None], table.draw(multimodal, random)], axis=1), counts / clips


def _identifiers(clips: Mapping[str, int], random: np.random.Generator) -> dict[str, list[str]]:
    """Name the clips of every split `video$_$clip`: about thirty a video, a tenth of the videos in test alone.

    Unlabelled clips come from videos of their own, numbered after the others.
    """
    labelled = sum(count for split, count in clips.items() if split != "unlabelled")
    videos = max(10, round(labelled / 30.4))
    alone = max(1, videos // 10)
    taken = np.zeros(videos + max(1, clips["unlabelled"] // 30), dtype=np.int64)
    pools = {"train": (0, videos - alone), "valid": (0, videos - alone), "test": (0, videos)}
    names: dict[str, list[str]] = {}
    for split, count in clips.items():
        low, high = pools.get(split, (videos, len(taken)))
        names[split] = []
        for video in np.sort(random.integers(low, high, count)):
            taken[video] += 1
            names[split].append(f"video_{video + 1:04d}$_${taken[video]:04d}")
    return names


def _tokens(steps: int, random: np.random.Generator) -> np.ndarray:
    """Make up BERT input (steps, 3): ids from [CLS] 101 to [SEP] 102 with characters between, mask and segments."""
    tokens = np.zeros((steps, 3), dtype=np.int32)
    tokens[:, 0] = random.integers(671, 7992, steps)
    tokens[0, 0], tokens[-1, 0] = 101, 102
    tokens[:, 1] = 1
    return tokens
