"""Scoring files in limited processes: one that breaks costs itself alone, and a second run goes on."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TypedDict

from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.subtitles.transcripts import source_stamp
from imlcmm.features.words.utterances import Utterance
from imlcmm.files import file_digest, write_json
from imlcmm.jobs.cluster import run_on_cluster
from imlcmm.jobs.threads import use_one_thread
from imlcmm.jobs.workers import USUAL_LIMITS, Limits, Tell, run_limited
from imlcmm.prediction.result import VideoPrediction
from imlcmm.prediction.spent import new_note, write_spent
from imlcmm.stopwatch import Stopwatch, running
from imlcmm.untrusted import inside, read_json

_LARGEST = 1 << 30
_MODEL = "model.json"


class _Part(TypedDict):
    stamp: str
    prediction: dict[str, Any]


class _Model(TypedDict):
    """What a prediction says of the model, for a file that no process came back from."""

    model: str
    low: float
    high: float
    neutral: float


class _Kept(NamedTuple):
    """A result as it is kept, with what tells one state of file, model and options from another."""

    stamp: str
    prediction: VideoPrediction


@dataclass(frozen=True)
class Scoring:
    """What to score with.

    Attributes:
        model: Run or checkpoint; None is the starter model.
        options: What to extract with.
        transcript: What is said, or when, too; None looks beside each file, and then listens.
        own_models: Modules of the caller's whose models the checkpoint may name; their code runs.
        timing: Whether each process notes the seconds of its stages, for `read_spent`.
    """

    model: Path | None
    options: ExtractorOptions
    transcript: str | list[Utterance] | None = None
    own_models: Sequence[str] = ()
    timing: bool = False


def score_files(
    files: Sequence[Path],
    scoring: Scoring,
    parts: Path,
    *,
    workers: int = 1,
    limits: Limits = USUAL_LIMITS,
    ray: str | None = None,
    reached: Callable[[Path, float], None] | None = None,
) -> Iterator[VideoPrediction]:
    """Score files, and give each result as soon as it is there; what a file lacks, or why it failed, is in it.

    Args:
        files: Video or sound files.
        scoring: What to score with.
        parts: Folder that keeps each result; what lies there of the same file, model and options is not scored again.
        workers: Number of processes.
        limits: Memory of each file, and how long it may take to come a second further in it.
        ray: Address of a Ray cluster that does the work, as `run_on_cluster` takes it; None works on this machine.
        reached: Is told the second of a file that is being read, on this machine.

    Raises:
        ImlcmmError: If the model or an extractor cannot be loaded.
    """
    parts.mkdir(parents=True, exist_ok=True)
    run = partial(run_on_cluster, address=ray) if ray else partial(run_limited, told=reached)
    given = {path.absolute(): path for path in files}
    for job, failure in run(list(given), _prepare, (scoring, parts.absolute()), workers=workers, limits=limits):
        path = given[job]
        if failure is None:
            yield _read(path, parts).prediction
        else:
            known: _Model = read_json(inside(parts, _MODEL), _Model)
            yield VideoPrediction(path, failure=failure, **known)


def _prepare(scoring: Scoring, parts: Path) -> Callable[[Path, Tell], None]:
    """Make the function that scores a file; called in each process."""
    from imlcmm.prediction.predictor import Predictor, find_checkpoint

    use_one_thread()
    watch, note = Stopwatch(), new_note(parts)
    with running(watch):
        predictor = Predictor.load(scoring.model, scoring.options, own_models=scoring.own_models)
    spec = predictor.model.spec
    write_json(parts / _MODEL, _Model(model=predictor.name, low=spec.low, high=spec.high, neutral=spec.neutral))
    checkpoint = find_checkpoint(scoring.model)
    files = sorted(checkpoint.iterdir()) if checkpoint.is_dir() else [checkpoint]
    digests = [file_digest(file) for file in files if file.is_file()]
    identity = json.dumps([digests, asdict(scoring.options), scoring.transcript])

    def do(path: Path, tell: Tell) -> None:
        stamp = hashlib.sha256(f"{identity} {source_stamp(path)}".encode(errors="surrogateescape")).hexdigest()
        if _is_done(path, parts, stamp):
            return
        with running(watch):
            prediction = predictor(path, transcript=scoring.transcript, reached=tell)
        if scoring.timing:
            write_spent(note, watch.seconds)
        write_json(_part(path, parts), _Part(stamp=stamp, prediction=prediction.to_dict()))

    return do


def _part(path: Path, parts: Path) -> Path:
    return parts / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:20]}.json"


def _is_done(path: Path, parts: Path, stamp: str) -> bool:
    """Tell whether a file's result lies there, made of the same; one that failed is tried again."""
    try:
        return (found := _read(path, parts)).stamp == stamp and not found.prediction.failure
    except (OSError, ValueError):
        return False


def _read(path: Path, parts: Path) -> _Kept:
    """Read a file's result.

    Raises:
        OSError: If there is none.
        ValueError: If it is damaged.
    """
    part = _part(path, parts)
    content = read_json(inside(parts, part.name), _Part, largest=_LARGEST)
    return _Kept(content["stamp"], VideoPrediction.from_dict(path, content["prediction"]))
