"""What requests and answers of the API hold."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Status = Literal["waiting", "running", "done", "failed", "cancelled"]
Target = Literal["multimodal", "text", "audio", "vision"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
PlainName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
"""A name that becomes one of a folder."""
Short = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]
Seconds = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class _Question(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Failure(_Answer):
    """Why a request was refused."""

    error: Annotated[str, Field(description="One line: what is wrong, and what to do.")]


class Job(_Answer):
    """Work that waits, runs or ended; `progress` runs from 0 to 1."""

    id: int
    kind: str
    subject: str
    recording: int | None
    state: Status
    message: str
    progress: float | None
    added: float
    ended: float | None


class JobResult(Job):
    """A job with what it found."""

    found: dict[str, object] | None


class ServerStatus(_Answer):
    """What the server is doing."""

    version: str
    model: Annotated[str, Field(description="Run that scores the library; empty for the starter model.")]
    recordings: dict[str, int]
    jobs: list[Job]
    free_gigabytes: float
    largest_upload: Annotated[float, Field(description="Gigabytes of one recording, at most.")]


class Point(_Answer):
    """A stretch of a sparkline."""

    start: float
    end: float
    sentiment: float | None


class Recording(_Answer):
    """A recording as lists show it; sentiment is the mean over its utterances, weighted by their length."""

    id: int
    name: str
    collection: str
    added: float
    size: int
    status: Status
    failure: str
    duration: float | None
    has_picture: bool
    has_sound: bool
    has_preview: bool
    model: str
    low: float
    high: float
    neutral: float
    sentiment: float | None
    utterances: int
    conflicts: int
    confidence: float | None
    sparkline: list[Point]


class RecordingPage(_Answer):
    """A page of the library."""

    total: int
    collections: list[str]
    recordings: list[Recording]


class Word(_Answer):
    """A word, in seconds from the start of the recording."""

    text: str
    start: float
    end: float
    probability: float | None


class Moment(_Answer):
    """A stretch of voice or face that the model looked at."""

    modality: str
    start: float
    end: float
    weight: float


class Contribution(_Answer):
    """A word that the text's sentiment hinges on."""

    word: str
    start: float
    end: float
    change: float


class Utterance(_Answer):
    """An utterance with everything that is known of it."""

    id: int
    start: float
    end: float
    transcript: str
    speaker: str
    is_corrected: bool
    is_stale: bool
    sentiment: float | None
    interval: tuple[float, float] | None
    confidence: float | None
    doubts: list[str]
    unimodal: dict[str, float]
    agreement: str
    missing: dict[str, str]
    moments: list[Moment]
    contributions: list[Contribution]
    words: list[Word]
    cues: dict[str, float]


class RecordingDetail(Recording):
    """A recording with its utterances."""

    cue_units: dict[str, str]
    utterance_list: list[Utterance]


class RecordingChange(_Question):
    """What can be changed of a recording."""

    name: Name | None = None
    collection: Short | None = None


class UtteranceChange(_Question):
    """What can be corrected of an utterance; what is left out stays."""

    start: Seconds | None = None
    end: Seconds | None = None
    transcript: Annotated[str, StringConstraints(max_length=20_000)] | None = None
    speaker: Short | None = None


class Cut(_Question):
    """Where to cut an utterance in two."""

    at: Seconds


class Labels(_Question):
    """What a rater says of an utterance; null takes a label back."""

    rater: Name
    labels: dict[Target, Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)] | None]


class LabelTask(_Answer):
    """The next utterance to label, and how many are left for this rater."""

    utterance: Utterance | None
    recording: Recording | None
    labels: dict[str, float]
    done: int
    left: int


class Agreement(_Answer):
    """How far raters agree in one target: Krippendorff's alpha with an interval metric, where it can be computed."""

    target: Target
    labelled: int
    raters: int
    shared: Annotated[int, Field(description="Utterances with labels of two raters or more.")]
    alpha: float | None


class LabelSummary(_Answer):
    """What has been labelled."""

    agreement: list[Agreement]
    raters: dict[str, int]
    recordings: int


class Dataset(_Answer):
    """A data set of the workspace."""

    name: str
    kind: str
    simulated: bool
    clips: dict[str, int]


class NewDataset(_Question):
    """A data set to make: of the labels, or a simulated one to practise on."""

    name: PlainName
    source: Literal["labels", "simulated"]


class SentimentModel(_Answer):
    """A model that can be trained."""

    name: str
    idea: str


class NewRun(_Question):
    """A run to start; without `epochs`, the recipe's."""

    name: PlainName
    data: PlainName
    model: Annotated[str, StringConstraints(pattern=r"^\w{1,40}$")]
    seeds: Annotated[int, Field(ge=1, le=50)] = 1
    epochs: Annotated[int, Field(ge=1, le=10_000)] | None = None


class Run(_Answer):
    """A run of the workspace."""

    name: str
    data: str
    model: str
    seeds: int
    epochs: int | None
    state: Status
    message: str
    progress: float | None
    job: int
    finished_seeds: int
    scores: Annotated[dict[str, float], Field(description="Mean validation scores over the finished seeds.")]
    scores_library: bool


class Curves(_Answer):
    """What training has said so far, by seed and then by column, an entry an epoch."""

    seeds: dict[str, dict[str, list[float | None]]]


class Comparison(_Question):
    """Runs to compare on a split; the test split should be read once, at the end."""

    runs: Annotated[list[PlainName], Field(min_length=1, max_length=10)]
    split: Literal["valid", "test"] = "valid"


class Scorer(_Question):
    """The run that scores the library from now on; null is the starter model."""

    run: PlainName | None
    rescore: bool = True


class Side(_Answer):
    """One side of a comparison of recordings: a recording, or a group of them."""

    name: str
    recordings: int
    utterances: int
    seconds: float
    mean: float | None
    interval: Annotated[tuple[float, float] | None, Field(description="95 %, bootstrap over recordings or utterances.")]
    resampled: str
    shares: Annotated[dict[str, float], Field(description="Share of the time: negative, neutral, positive.")]
    histogram: Annotated[list[float], Field(description="Share of utterances in ten equal bins of the scale.")]
    over_time: Annotated[list[float | None], Field(description="Mean in each tenth of the recordings.")]
    conflicts: float | None
    speakers: dict[str, float]


class Contrast(_Answer):
    """Two sides, and the difference of their means."""

    low: float
    high: float
    neutral: float
    models: list[str]
    a: Side
    b: Side | None
    difference: float | None
    difference_interval: tuple[float, float] | None
