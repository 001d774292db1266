"""From a checkpoint and a video to sentiment."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imlcmm.calibration import Curve
from imlcmm.errors import ImlcmmError
from imlcmm.features.clip_extractor import ClipExtractor, ExtractedClip
from imlcmm.features.cues import measure_cues
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.media.recording import Recording
from imlcmm.features.words.utterances import Utterance
from imlcmm.prediction.batching import check_features, to_arrays
from imlcmm.prediction.contributions import contributions
from imlcmm.prediction.doubts import doubts
from imlcmm.prediction.moments import moments
from imlcmm.prediction.networks.network import Network, Scores
from imlcmm.prediction.networks.onnx_copy import load_copy
from imlcmm.prediction.networks.onnx_file import SUFFIX, OnnxNetwork
from imlcmm.prediction.result import Contribution, UtterancePrediction, VideoPrediction
from imlcmm.pretrained import find_pretrained
from imlcmm.stopwatch import timed
from imlcmm.types import MODALITIES

STARTER = Path(__file__).with_name("starter")
CUE_RATE = 5.0
"""Pictures a second where the face is there to be shown, and no model reads it."""
UNTRAINED = "the model was trained without it"
UNPROVEN = "too few validation clips had it to show that its own head can be trusted"


@dataclass(frozen=True)
class Predictor:
    """Score files with a model.

    Attributes:
        model: The trained model.
        extractor: What reads the files, as far as the model was trained on it.
        name: What to call the model.
    """

    model: Network
    extractor: ClipExtractor
    name: str

    @classmethod
    @timed("models")
    def load(
        cls,
        folder: Path | str | None = None,
        options: ExtractorOptions | None = None,
        *,
        own_models: Sequence[str] = (),
    ) -> "Predictor":
        """Load a model.

        Args:
            folder: A run, a checkpoint folder, or an ONNX file, which needs no PyTorch, or a name that
                `find_pretrained` knows; None is the starter model of the package, which reads text alone.
            options: What to extract with.
            own_models: Modules of the caller's whose models the checkpoint may name; their code runs.

        Raises:
            ModelError: If it is none of them, or was trained on other features than the extractors give.
            MissingPackageError: If an extractor's package is not installed.
        """
        model = _load_network(find_checkpoint(folder), own_models)
        read, options = set(_trained(model)), options or ExtractorOptions()
        wanted = read
        if options.cues == "all" and "vision" not in read:
            wanted, options = read | {"vision"}, replace(options, frame_rate=min(options.frame_rate, CUE_RATE))
        extractor = ClipExtractor(options, wanted)
        check_features(model.spec, {m: features for m, features in extractor.feature_sets.items() if m in read})
        return cls(model, extractor, _name(folder))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Name what the model reads of what is extracted; the rest is there to be shown."""
        return tuple(m for m in _trained(self.model) if m in self.extractor.feature_sets)

    def __call__(
        self,
        path: Path | str,
        *,
        transcript: str | list[Utterance] | None = None,
        reached: Callable[[float], None] | None = None,
    ) -> VideoPrediction:
        """Score a file; what cannot be read is told in the result.

        Args:
            path: A video or sound file.
            transcript: What is said in it, or when, too (`read_transcript`); None looks for a file beside it, and then
                listens.
            reached: Is told the second of the recording that is being read.
        """
        spec, path = self.model.spec, Path(path)
        found, failure = [], ""
        try:
            for utterance in self.utterances(path, transcript, reached):
                found.append(utterance)  # what came before a failure stays
        except ImlcmmError as error:
            failure = str(error)
        return VideoPrediction(path, self.name, spec.low, spec.high, found, failure, spec.neutral)

    def utterances(
        self,
        path: Path,
        transcript: str | list[Utterance] | None = None,
        reached: Callable[[float], None] | None = None,
    ) -> Iterator[UtterancePrediction]:
        """Score one utterance of a file after the other, which keeps long videos out of memory.

        Raises:
            MediaError: If the file cannot be read.
        """
        with Recording(path, limits=self.extractor.options.limits, reached=reached) as recording:
            for utterance in self.extractor.utterances(recording, transcript):
                yield self.predict(recording, utterance)

    def predict(self, recording: Recording, utterance: Utterance) -> UtterancePrediction:
        """Score an utterance, and measure its cues.

        Raises:
            MediaError: If the recording cannot be read.
        """
        clip = self.extract(recording, utterance)
        said = self.score(utterance, clip)
        if self.extractor.options.cues == "none":
            return said
        return replace(said, cues=measure_cues(recording, utterance.start, utterance.end, clip))

    def extract(self, recording: Recording, utterance: Utterance) -> ExtractedClip:
        """Extract what the model reads of an utterance.

        Raises:
            MediaError: If the recording cannot be read.
        """
        start, end = utterance.start, utterance.end
        words = [word.shifted(-start) for word in utterance.words]
        return self.extractor(recording, start=start, end=end, transcript=utterance.text, words=words)

    @timed("sentiment")
    def score(self, utterance: Utterance, clip: ExtractedClip) -> UtterancePrediction:
        """Score what was extracted of an utterance."""
        trained = self.modalities
        absent = (m for m in MODALITIES if m not in clip.features or m not in trained)
        missing = {m: clip.missing[m] if m in trained else UNTRAINED for m in absent}
        read = tuple(m for m in MODALITIES if m not in missing)
        start = utterance.start
        words = [word.shifted(start) for word in clip.words]
        said = UtterancePrediction(
            start, utterance.end, clip.transcript, None, missing=missing, words=words, speaker=utterance.speaker
        )
        if not read:
            return said
        arrays = to_arrays([clip], self.model.spec, read, self.model.means)
        scores = self.model(arrays)
        unimodal = self._unimodal(scores, read)
        fused, curve = self._fused(scores, read)
        predicted = self._predicted(float(fused[0]), curve)
        scored = replace(
            said,
            sentiment=self._value(predicted, curve),
            unimodal=unimodal,
            missing=missing | {m: UNPROVEN for m in read if m in scores.unimodal and m not in unimodal},
            agreement=self._agreement(unimodal),
            moments=moments(scores, clip, read, start),
            contributions=self._contributions(clip, start),
        )
        steps = int(arrays.masks[read[0]].sum())
        doubtful = doubts(utterance, words, self.model.calibration, curve, steps) if "text" in read else ()
        if curve is None or doubtful:
            return replace(scored, doubts=doubtful)
        low, high = curve.interval(predicted, steps)
        interval = self._clipped(low), self._clipped(high)
        return replace(scored, interval=interval, confidence=curve.confidence(predicted, steps))

    def _contributions(self, clip: ExtractedClip, start: float) -> tuple[Contribution, ...]:
        """Ask what the text alone would say without each of its words."""
        if "text" not in clip.features or self.extractor.text is None:
            return ()
        spec = self.model.spec

        def value(clips: Sequence[ExtractedClip]) -> list[float]:
            scores = self.model(to_arrays(clips, spec, ("text",), self.model.means))
            fused, curve = self._fused(scores, ("text",))
            return [self._value(self._predicted(each, curve), curve) for each in fused.tolist()]

        return contributions(clip, start, self.extractor.text, value, spec.high - spec.low)

    def _fused(self, scores: Scores, read: tuple[str, ...]) -> tuple[np.ndarray, Curve | None]:
        """Give what is said of all that was read, and its curve; of one modality, what its own head says if trusted."""
        if len(read) == 1 and read[0] in scores.unimodal and (curve := self._curve(read[0])):
            return scores.unimodal[read[0]], curve
        return scores.sentiment, self._curve("multimodal", read)

    def _curve(self, head: str, read: Sequence[str] = ()) -> Curve | None:
        calibration = self.model.calibration
        return calibration.curve(head, read) if calibration else None

    def _unimodal(self, scores: Scores, read: tuple[str, ...]) -> dict[str, float]:
        """Give the numbers of the heads that training had labels for."""
        found = {}
        for m in (m for m in read if m in scores.unimodal):
            curve = self._curve(m)
            if curve or self.model.calibration is None:
                found[m] = self._value(self._predicted(float(scores.unimodal[m][0]), curve), curve)
        return found

    def _predicted(self, said: float, curve: Curve | None) -> float:
        """Give what a head says; on the scale, unless its curve knows what lies beyond the ends."""
        return said if curve and curve.knots else self._clipped(said)

    def _value(self, predicted: float, curve: Curve | None) -> float:
        return self._clipped(curve.value(predicted) if curve else predicted)

    def _agreement(self, unimodal: dict[str, float]) -> str:
        """Tell whether two modalities stand on different sides, neither of them neutral."""
        if len(unimodal) < 2:
            return ""
        middle = self.model.spec.neutral
        edge = min(abs(edge - middle) for edge in self.model.spec.class_edges)
        values = unimodal.values()
        return "conflict" if min(values) < middle - edge and max(values) > middle + edge else "agreement"

    def _clipped(self, value: float) -> float:
        return min(max(value, self.model.spec.low), self.model.spec.high)


def _trained(model: Network) -> tuple[str, ...]:
    """Name the modalities that a model has learnt to read."""
    trained = MODALITIES if model.calibration is None else model.calibration.modalities
    return tuple(m for m in MODALITIES if m in trained and m in model.spec.present)


def find_checkpoint(folder: Path | str | None) -> Path:
    """Find the checkpoint of a run (of its first seed), or what is one itself; None is the starter model's.

    Raises:
        ModelError: If it is named by its id on a hub, which does not give it.
    """
    if folder is None:
        return STARTER
    folder = find_pretrained(folder)
    if not (folder / "run.json").is_file():
        return folder
    from imlcmm.training.run import load_run

    return load_run(folder).seeds[0] / "best"


def _name(folder: Path | str | None) -> str:
    """Name a model as people know it: a folder by its last part, others as they were asked for."""
    if folder is None:
        return "starter model"
    return Path(folder).resolve().name if Path(folder).exists() else str(folder)


def _load_network(checkpoint: Path, own_models: Sequence[str]) -> Network:
    """Load an ONNX file, or a checkpoint folder with PyTorch, which the starter's copy spares."""
    if checkpoint.suffix == SUFFIX and not checkpoint.is_dir():
        return OnnxNetwork(checkpoint)
    if checkpoint == STARTER and not own_models and (copy := load_copy(checkpoint)):
        return copy
    from imlcmm.prediction.networks.checkpoint import CheckpointNetwork

    return CheckpointNetwork.load(checkpoint, own_models)
