"""The tasks of worker processes: plain values, so that the server needs none of what does them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from imlcmm.datasets.labels.label_export import LabelledRow
from imlcmm.features.words.word import Word


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        out: File that the worker writes what it finds to, a line each (`handover`).
    """

    out: Path


@dataclass(frozen=True)
class Span:
    """An utterance that is cut already; `words` are known where a recogniser heard them."""

    start: float
    end: float
    text: str
    words: Sequence[Word] = ()
    speaker: str = ""


@dataclass(frozen=True)
class ScoreTask(Task):
    """Score a recording.

    Attributes:
        media: The file; subtitles beside it are read.
        spans: Utterances to score; None cuts the recording first.
        model: Folder of the run; None is the starter model.
    """

    media: Path
    spans: Sequence[Span] | None
    model: Path | None


@dataclass(frozen=True)
class PreviewTask(Task):
    """Make a copy of a recording that browsers can play."""

    media: Path
    preview: Path


@dataclass(frozen=True)
class AdoptTask(Task):
    """Check that a run can score recordings."""

    model: Path | None


@dataclass(frozen=True)
class TrainTask(Task):
    """Train a model by its recipe, or go on with that; `epochs` None takes the recipe's."""

    data: Path
    model: str
    seeds: int
    epochs: int | None
    run: Path


@dataclass(frozen=True)
class EvaluateTask(Task):
    """Score runs on a split of a data set, and compare them."""

    data: Path
    runs: Sequence[Path]
    split: str


@dataclass(frozen=True)
class SimulateTask(Task):
    """Write a simulated data set."""

    data: Path


@dataclass(frozen=True)
class LabelledClip:
    """A labelled utterance on its way into a data set."""

    media: Path
    start: float
    end: float
    row: LabelledRow


@dataclass(frozen=True)
class DatasetTask(Task):
    """Cut labelled utterances out of their recordings, and extract their features.

    Attributes:
        folder: Gets `Raw/VIDEO/CLIP.mp4` and `label.csv`, the field's layout.
        data: Store to write.
        kind: Rules of the labels.
    """

    folder: Path
    data: Path
    kind: str
    clips: Sequence[LabelledClip]
