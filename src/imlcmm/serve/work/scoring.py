"""Scoring recordings for the workbench, an utterance at a time."""

from pathlib import Path

from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.media.excerpt import plays_in_browsers, write_excerpt
from imlcmm.features.media.recording import Recording
from imlcmm.features.words.utterances import Utterance
from imlcmm.jobs.workers import Tell
from imlcmm.prediction.predictor import Predictor
from imlcmm.serve.work.handover import say
from imlcmm.serve.work.tasks import AdoptTask, PreviewTask, ScoreTask

_CUTTING = 0.4
"""Share of the work after which a recording is cut into utterances, roughly."""


class Scorer:
    """Scores with the model that is asked for, which stays loaded until another one is."""

    def __init__(self, options: ExtractorOptions) -> None:
        """Hold what to extract with."""
        self.options = options
        self._loaded: tuple[Path | None, Predictor] | None = None

    def score(self, task: ScoreTask, tell: Tell) -> None:
        """Tell what the file holds, cut it if nobody has, and score its utterances."""
        utterances = [Utterance(s.start, s.end, s.text, tuple(s.words), speaker=s.speaker) for s in task.spans or ()]
        begun = 0.0 if task.spans is not None else _CUTTING

        def reached(second: float) -> None:
            if not utterances:
                tell(begun * min(1.0, second / info.duration))

        with Recording(task.media, limits=self.options.limits, reached=reached) as recording:
            info = recording.info
            say(
                task.out, "media", duration=info.duration, has_picture=info.has_picture, has_sound=info.has_sound,
                plays=plays_in_browsers(task.media),
            )  # fmt: skip
            tell(0.0)
            predictor = self._predictor(task.model)
            spec = predictor.model.spec
            say(task.out, "model", name=predictor.name, low=spec.low, high=spec.high, neutral=spec.neutral)
            if task.spans is None:
                utterances = predictor.extractor.utterances(recording)
                say(task.out, "cut", utterances=[_plain(utterance) for utterance in utterances])
            for index, utterance in enumerate(utterances):
                say(task.out, "utterance", index=index, **predictor.predict(recording, utterance).to_dict())
                tell(begun + (1 - begun) * (index + 1) / len(utterances))

    def adopt(self, task: AdoptTask) -> None:
        """Load a model, which refuses one that reads other features than recordings give."""
        say(task.out, "adopted", name=self._predictor(task.model).name)

    def preview(self, task: PreviewTask, tell: Tell) -> None:
        """Copy a recording as browsers play it."""

        def reached(second: float) -> None:
            tell(min(1.0, second / recording.info.duration))

        with Recording(task.media, limits=self.options.limits, reached=reached) as recording:
            write_excerpt(recording, task.preview)
        say(task.out, "preview")

    def _predictor(self, model: Path | None) -> Predictor:
        if self._loaded is None or self._loaded[0] != model:
            self._loaded = None  # the one before leaves the memory first
            self._loaded = model, Predictor.load(model, self.options)
        return self._loaded[1]


def _plain(utterance: Utterance) -> dict[str, object]:
    return {
        "start": utterance.start,
        "end": utterance.end,
        "text": utterance.text,
        "words": [word._asdict() for word in utterance.words],
        "speaker": utterance.speaker,
    }
