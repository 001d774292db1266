"""The card of a trained model: what it was made of, what it may be used for, and what it may not."""

from collections.abc import Mapping
from typing import Any

from imlcmm.calibration import Calibration
from imlcmm.datasets.clip_manifest import fates, read_clip_manifest
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.models.base import SentimentModel
from imlcmm.models.card import idea
from imlcmm.types import MODALITIES

FILE = "README.md"

LAW = """\
## Law
In the European Union the AI Act (Regulation 2024/1689, article 5) forbids inferring emotions of people at work or in
education from their biometric data, but for medical and safety reasons. Do not use this model for that."""

USE = """\
## Intended use
Research on multimodal sentiment, and a look at opinions in clips like those it was trained on. It rates how positive
what is said and shown appears to annotators; it knows nothing of what a person feels, and must not decide about anyone.

## Limits
- People, languages, topics and recordings unlike those of the training clips get worse scores, and nothing here says
  how much worse. Measure on labelled clips of your own (`imlcmm evaluate`).
- Confidence and intervals hold for clips like those of validation."""


def trained_card(
    model: SentimentModel,
    data: SentimentData,
    description: Mapping[str, Any],
    selected: Mapping[str, float],
    calibration: Calibration | None,
) -> str:
    """Write the card in Markdown, with the front matter that model hubs read.

    Args:
        model: The selected model.
        data: What it was trained on.
        description: What `run.json` says of the run.
        selected: Losses and scores of the selected epoch.
        calibration: What validation says of its errors.
    """
    parts = [
        "---\nlibrary_name: imlcmm\ntags: [multimodal-sentiment-analysis]\n---",
        f"# {type(model).__name__}, trained on {data.path.name} with imlcmm {description['environment']['imlcmm']}",
        idea(type(model)) + f"\n\nPaper: {model.paper}",
    ]
    if data.simulated:
        parts.insert(2, "**Trained on SIMULATED clips: it knows nothing of people. Do not use it on real ones.**")
    parts += [
        _data(data, description["data"]),
        _scores(data, selected, calibration, description["optimization"]),
        USE,
        LAW,
    ]
    return "\n\n".join(parts) + "\n"


def _data(data: SentimentData, used: Mapping[str, Any]) -> str:
    """Say what it was trained on, and how many clips extraction lost."""
    spec, train = data.spec, data.train
    manifest = read_clip_manifest(data.path)
    if manifest is None:
        lost = "The data came as finished features, which do not tell how many clips their extraction lost."
    else:
        share = (manifest["status"] == "failed").mean()
        lost = f"Extraction: {fates(manifest)} ({share:.1%} lost)."
    lines = [
        "## Training data",
        f"{used['train_clips']:,} clips labelled from {spec.low:g} to {spec.high:g} ({spec.kind}), "
        f"{used['unlabelled_clips']:,} without labels; checksum {used['checksum'][:12]}.",
        "",
        "| modality | features | clips without it |",
        "|---|---|---|",
        *(f"| {m} | {spec.features[m]}, {spec.widths[m]} | {(train.lengths(m) == 0).mean():.1%} |" for m in MODALITIES),
        "",
        lost,
    ]
    return "\n".join(lines)


def _scores(
    data: SentimentData, selected: Mapping[str, float], calibration: Calibration | None, how: Mapping[str, Any]
) -> str:
    """Say what was measured on validation."""
    if "valid_mae" not in selected:
        return "## Measured\nNothing: there was no validation split."
    lines = [
        "## Measured on validation",
        f"{len(data.valid):,} clips: MAE {selected['valid_mae']:.3f}, correlation {selected['valid_corr']:.3f}.",
        "These clips also chose the epoch, which flatters the scores."
        if how["patience"]
        else "The last epoch was kept.",
        "The test split was not read.",
    ]
    curve = calibration and calibration.curve("multimodal", calibration.modalities)
    if curve:
        lines.append(f"Nine labels in ten lie within {curve.half_width:.2f} of the prediction.")
    return "\n".join(lines)
