"""Why a model says what it says of one clip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch

from imlcmm.calibration import Calibration, Curve, read_calibration
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.models.base import SentimentModel
from imlcmm.models.iml_cmm import IMLCMM
from imlcmm.models.inference import heads_of
from imlcmm.reports.explanations.attention_map import attention_maps
from imlcmm.reports.explanations.feature_response import (
    FeatureCurve,
    clip_contributions,
    feature_names,
    has_curves,
    strongest_curves,
    top_features,
)
from imlcmm.training.run import Run
from imlcmm.types import MODALITIES, TARGETS, Batch, DataSpec, Prediction

TOP = 6


@dataclass(frozen=True)
class Opinion:
    """What one head says of a clip.

    Attributes:
        head: multimodal, text, audio or vision.
        label: The head's label; None where there is none.
        sentiment: Prediction of the first seed; None where the clip lacks the modality.
        interval: Where nine labels of ten lay on validation; None without calibration.
        confidence: Probability that the label is on the same side of neutral; None without calibration.
        others: Predictions of the other seeds.
    """

    head: str
    label: float | None
    sentiment: float | None
    interval: tuple[float, float] | None
    confidence: float | None
    others: Sequence[float]


@dataclass(frozen=True)
class Explanation:
    """Everything there is to say of one clip; what needs the parts of IML-CMM is empty for other models.

    Attributes:
        run: Name of the run.
        seed: Name of the seed whose model is explained.
        clip: Identifier.
        split: Split of the clip.
        transcript: What is said.
        simulated: Whether the clip is simulated.
        low: Smallest label of the scale.
        high: Largest label of the scale.
        missing: Modalities that the clip lacks.
        opinions: The heads, the multimodal one first.
        pools: For each pooled modality (steps,) attention weights, which sum to one.
        maps: For audio and vision (text steps, steps) attention from text, which sums to one.
        features: For each modality, the features with the largest effect on the sentiment, by name.
        rates: Steps a second of the modalities that have one.
        pieces: How each text step is written; empty where nobody knows.
        neutral: Where positive and negative part.
    """

    run: str
    seed: str
    clip: str
    split: str
    transcript: str
    simulated: bool
    low: float
    high: float
    missing: Sequence[str]
    opinions: Sequence[Opinion]
    pools: Mapping[str, np.ndarray]
    maps: Mapping[str, np.ndarray]
    features: Mapping[str, Sequence[tuple[str, float]]]
    rates: Mapping[str, float]
    pieces: Sequence[str]
    neutral: float = 0.0


def find_clip(data: SentimentData, split: str, wanted: str) -> int:
    """Find the row of a clip by its identifier; `video/clip` is understood too, which shells leave alone.

    Raises:
        DataError: If the split has no such clip; the message names a similar one, or the split that has it.
    """
    for row, identifier in enumerate(getattr(data, split).ids):
        if wanted in (identifier, _typed(identifier)):
            return row
    for name, other in data.splits.items():
        if any(wanted in (identifier, _typed(identifier)) for identifier in other.ids):
            raise DataError(f"clip '{wanted}' is not in the {split} split but in {name}; use --split {name}")
    typed = {_typed(identifier) for identifier in getattr(data, split).ids}
    close = get_close_matches(_typed(wanted), typed, n=1, cutoff=0.0)
    raise DataError(f"there is no clip '{wanted}' in the {split} split; did you mean '{close[0]}'?")


@dataclass(frozen=True)
class Explainer:
    """Explains clips by the model of a run's first seed; the other seeds' predictions are told beside its own.

    Attributes:
        run: The run.
        data: Data set.
        split: Split of the clips.
        models: The model of each seed.
        calibration: How far the first one can be trusted; None for a checkpoint without.
    """

    run: Run
    data: SentimentData
    split: str
    models: Sequence[SentimentModel]
    calibration: Calibration | None

    @classmethod
    def load(cls, run: Run, data: SentimentData, split: str = "test") -> "Explainer":
        """Load the models of a run.

        Raises:
            ModelError: If they were built for other features or labels.
        """
        models = [run.load(seed) for seed in run.seeds]
        for model in models:
            model.check_fits(data.spec)
        return cls(run, data, split, models, read_calibration(run.seeds[0] / "best"))

    @property
    def clips(self) -> ClipDataset:
        """The split."""
        found: ClipDataset = getattr(self.data, self.split)
        return found

    @property
    def curves(self) -> dict[str, list[FeatureCurve]]:
        """The curves of the strongest features of each modality; empty for models without KAN layers."""
        model = self.models[0]
        return strongest_curves(model, self.data, self.clips) if isinstance(model, IMLCMM) and has_curves(model) else {}

    def __call__(self, row: int) -> Explanation:
        """Explain the clip in a row of the split."""
        clips, data, model, batch = self.clips, self.data, self.models[0], self.clips.batch([row])
        with torch.no_grad():
            predictions = [each(batch) for each in self.models]
        present = [m for m in MODALITIES if batch.masks[m].any()]
        return Explanation(
            run=self.run.folder.name or self.run.name,
            seed=self.run.seeds[0].name,
            clip=clips.ids[row],
            split=self.split,
            transcript=clips.transcripts[row],
            simulated=data.simulated,
            low=data.spec.low,
            high=data.spec.high,
            missing=[m for m in MODALITIES if m not in present],
            opinions=self._opinions(predictions, clips.labels[row].tolist(), present),
            pools={
                m: weights[0, batch.masks[m][0]].cpu().numpy()
                for m, weights in predictions[0].attention.items()
                if m in present and _reads_frames(model, m)
            },
            maps=attention_maps(model, batch) if isinstance(model, IMLCMM) else {},
            features=_features(model, data, batch),
            rates=_rates(data),
            pieces=_pieces(clips, row),
            neutral=data.spec.neutral,
        )

    def _opinions(
        self, predictions: Sequence[Prediction], labels: Sequence[float], present: Sequence[str]
    ) -> list[Opinion]:
        """Put each head's prediction beside its label and what calibration says."""
        seeds = [{head: float(value) for head, value in heads_of(p).items()} for p in predictions]
        said = []
        for head in seeds[0]:
            curve = self.calibration.curve(head, present if head == "multimodal" else ()) if self.calibration else None
            label = _known(labels[TARGETS.index(head)])
            said.append(_opinion(head, [seed[head] for seed in seeds], label, curve, self.data.spec))
        return said


def _opinion(head: str, seeds: Sequence[float], label: float | None, curve: Curve | None, spec: DataSpec) -> Opinion:
    """Add interval and confidence to the first seed's prediction, where it has them."""
    sentiment = _known(seeds[0])
    if curve is None or sentiment is None:
        return Opinion(head, label, sentiment, None, None, seeds[1:])
    low, high = np.clip(curve.interval(sentiment), spec.low, spec.high).tolist()
    return Opinion(head, label, sentiment, (low, high), curve.confidence(sentiment), seeds[1:])


def _features(model: SentimentModel, data: SentimentData, batch: Batch) -> dict[str, list[tuple[str, float]]]:
    if not isinstance(model, IMLCMM) or not has_curves(model):
        return {}
    return {
        m: top_features(added, feature_names(data, m, added.shape[1]), TOP)
        for m, added in clip_contributions(model, batch).items()
    }


def _rates(data: SentimentData) -> dict[str, float]:
    """Look up how many steps a second each modality has; a text's steps have none."""
    known = data.manifest.get("notes", {}).get("extractors", {})
    return {m: float(known[m]["rate"]) for m in MODALITIES if known.get(m, {}).get("rate")}


def _pieces(clips: ClipDataset, row: int) -> list[str]:
    """Say how the text steps are written, without SentencePiece's marks of spaces."""
    pieces = [piece.strip("▁") or piece for piece in clips.pieces(row)]
    return pieces or characters(clips.transcripts[row], int(clips.lengths("text")[row]))


def characters(transcript: str, steps: int) -> list[str]:
    """Take the characters of a Chinese text for its steps where they are as many: so does the BERT of CH-SIMS v2."""
    characters = ["[CLS]", *"".join(transcript.split()), "[SEP]"]
    chinese = not any(c.isascii() and c.isalnum() for c in transcript)
    return characters if transcript and chinese and len(characters) == steps else []


def _reads_frames(model: SentimentModel, modality: str) -> bool:
    return not isinstance(model, IMLCMM) or model.read_frames[modality]


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _typed(identifier: str) -> str:
    """Write an identifier without the dollar signs that a shell would replace."""
    return identifier.replace("$_$", "/")
