"""From a folder of clips to a data set: a process a worker, resumable, and no clip is lost without a word."""

import hashlib
import json
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypedDict

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from imlcmm.datasets import clip_manifest
from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.clip_manifest import fates
from imlcmm.datasets.kind_file import find_kind
from imlcmm.datasets.labels.label_file import SourceClip, find_clips
from imlcmm.datasets.stores.store import StoreWriter, refuse_foreign
from imlcmm.errors import DataError, MediaError
from imlcmm.features.clip_extractor import ClipExtractor, ExtractedClip
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.feature_set import reasons
from imlcmm.features.media.recording import Recording
from imlcmm.features.subtitles.transcripts import read_sidecar, source_stamp
from imlcmm.features.words.word import Word, join_words
from imlcmm.files import replacing, write_json, write_text
from imlcmm.jobs.cluster import run_on_cluster
from imlcmm.jobs.threads import use_one_thread
from imlcmm.jobs.workers import USUAL_LIMITS, Limits, Tell, run_limited
from imlcmm.progress import Progress
from imlcmm.types import MODALITIES, Clip
from imlcmm.untrusted import check_type, inside, read_json


class _Words(TypedDict):
    """What a part holds besides its features."""

    transcript: str
    missing: dict[str, str]
    stamp: str
    extractors: dict[str, Any]
    pieces: list[str]


@dataclass(frozen=True)
class Extraction:
    """What became of the clips.

    Attributes:
        store: The data set; it holds the clips that did not fail.
        manifest: One row a clip: clip, file, split, status (complete, partial, failed), reason.
    """

    store: Path
    manifest: pd.DataFrame

    @property
    def failures(self) -> int:
        """Number of clips that failed."""
        return int((self.manifest["status"] == "failed").sum())

    @property
    def summary(self) -> str:
        """Say how many clips went which way."""
        return f"{fates(self.manifest)}; each one's fate is in {self.store / clip_manifest.FILE}"


def extract(
    videos: Path,
    out: Path,
    *,
    labels: Path | None = None,
    kind: str | Path | Kind = "simsv2",
    options: ExtractorOptions | None = None,
    workers: int = 2,
    limits: Limits = USUAL_LIMITS,
    ray: str | None = None,
    progress: bool = True,
    told: Callable[[float], None] | None = None,
) -> Extraction:
    """Extract the features of a folder of clips and write them as a store.

    What is finished stays in `OUT.parts` until the store is written, so that a run that was killed goes on there.

    Args:
        videos: Folder of the clips.
        out: Store to write.
        labels: The field's label file; None takes all media files as unlabelled clips.
        kind: Rules of the labels: simsv2, sims, mosi or mosei, or a YAML file of them.
        options: What to extract with.
        workers: Number of processes; 0 reads the clips in this one, without limits.
        limits: Time and memory of each clip.
        ray: Address of a Ray cluster that does the work, as `run_on_cluster` takes it; None works on this machine.
        progress: Whether to show a progress bar.
        told: Is told the share of the clips that are done.

    Raises:
        DataError: If no clip is found, every clip fails, or the parts were made with other options.
    """
    rules = find_kind(kind)
    refuse_foreign(Path(out))
    chosen = options or ExtractorOptions()
    clips = find_clips(Path(videos), labels, rules)
    parts = Path(out).with_name(f"{Path(out).name}.parts")
    _open_parts(parts, chosen)
    failures: dict[str, str] = {}
    waiting = [clip._replace(path=clip.path.absolute()) for clip in clips if not _is_done(clip, parts)]
    run = partial(run_on_cluster, address=ray) if ray else run_limited
    outcomes = run(waiting, _prepare, (chosen, parts.absolute()), workers=workers, limits=limits)
    with Progress(total=len(clips), initial=len(clips) - len(waiting), desc="extracting", unit="clip",
              disable=not progress) as bar:  # fmt: skip
        for done, outcome in enumerate(outcomes, len(clips) - len(waiting) + 1):
            if outcome.failure is not None:
                failures[outcome.job.identifier] = outcome.failure
                bar.set_postfix(failed=len(failures))
            bar.update()
            if told is not None:
                told(done / len(clips))
    return _assemble(clips, failures, parts, Path(out), rules)


def _prepare(options: ExtractorOptions, parts: Path) -> Callable[[SourceClip, Tell], None]:
    """Make the function that extracts a clip; called in each worker."""
    use_one_thread()
    extractor = ClipExtractor(options)
    sets = {m: f.describe() for m, f in extractor.feature_sets.items()}

    def do(clip: SourceClip, _: Tell) -> None:
        said, words = _given_transcript(clip)
        with Recording(clip.path, limits=options.limits) as recording:
            _write_part(clip, extractor(recording, transcript=said, words=words), sets, parts)

    return do


def _given_transcript(clip: SourceClip) -> tuple[str | None, list[Word]]:
    """Give the transcript of the label file, or of a file beside the clip with the times that words have there."""
    if clip.transcript is not None:
        return clip.transcript, []
    found = read_sidecar(clip.path)
    if not isinstance(found, list):
        return found, []
    words = [word for one in found for word in one.words] if all(one.words for one in found) else []
    return join_words(one.text for one in found), words


def _open_parts(parts: Path, options: ExtractorOptions) -> None:
    """Make the folder of the parts, or check that it was made with the same options."""
    file, wanted = parts / "options.json", asdict(options)
    if file.exists():
        try:
            begun = read_json(inside(parts, file.name))
        except ValueError as error:
            raise DataError(f"{file} {error}; remove the folder and extract again") from error
        begun = {**asdict(ExtractorOptions()), **begun}
        if begun != wanted:
            changed = ", ".join(f"{name} {begun.get(name)}" for name in wanted if begun.get(name) != wanted[name])
            raise DataError(f"{parts} was begun with {changed}; go on with that, or remove the folder")
    parts.mkdir(parents=True, exist_ok=True)
    write_json(file, wanted)


def _part(clip: SourceClip, parts: Path) -> Path:
    return parts / f"{hashlib.sha256(clip.identifier.encode()).hexdigest()[:20]}.safetensors"


def _stamp(clip: SourceClip) -> str:
    """Tell one state of a clip from another: its file and the transcript that was given."""
    if not clip.path.is_file():
        return "missing"
    return f"{source_stamp(clip.path)} {clip.transcript or ''}"


def _is_done(clip: SourceClip, parts: Path) -> bool:
    part = _part(clip, parts)
    try:
        return part.exists() and bool(_read_words(part)["stamp"] == _stamp(clip))
    except DataError:
        return False


def _read_words(part: Path) -> dict[str, Any]:
    try:
        with safe_open(inside(part.parent, part.name), framework="numpy") as file:
            words: dict[str, Any] = json.loads((file.metadata() or {}).get("clip", ""))
        check_type(words, _Words)
    except (SafetensorError, ValueError, RecursionError) as error:
        raise DataError(f"{part} is no part of an extraction; remove its folder and extract again") from error
    return words


def _write_part(clip: SourceClip, found: ExtractedClip, sets: dict[str, Any], parts: Path) -> None:
    if not found.features:
        raise MediaError(reasons(found.missing))
    arrays = {m: np.ascontiguousarray(f.values.astype(np.float32)) for m, f in found.features.items()}
    if found.text is not None:
        arrays["tokens"] = np.ascontiguousarray(found.text.tokens)
    words = {"transcript": found.transcript, "missing": found.missing, "stamp": _stamp(clip), "extractors": sets}
    words["pieces"] = found.text.pieces if found.text is not None else ()
    with replacing(_part(clip, parts)) as beside:
        save_file(arrays, beside, metadata={"clip": json.dumps(words, ensure_ascii=False)})


def _assemble(clips: list[SourceClip], failures: dict[str, str], parts: Path, out: Path, kind: Kind) -> Extraction:
    """Write the store in the order of the clips, then the manifest, and remove the parts if nothing failed."""
    rows, done = [], [clip for clip in clips if clip.identifier not in failures]
    if not done:
        first = next(iter(failures.values()))
        raise DataError(f"all {len(clips)} clips failed, the first because: {first}")
    sets = _read_words(_part(done[0], parts))["extractors"]
    with StoreWriter(
        out,
        kind=kind,
        widths={m: len(sets[m]["columns"]) for m in MODALITIES},
        features={m: sets[m]["name"] for m in MODALITIES},
        notes={"extractors": sets},
    ) as store:
        for clip in Progress(clips, desc="writing", unit="clip", leave=False):
            missing: dict[str, str] = {}
            if clip.identifier not in failures:
                missing = _add(clip, store, _part(clip, parts))
            status = "failed" if clip.identifier in failures else "partial" if missing else "complete"
            reason = failures.get(clip.identifier) or reasons(missing)
            rows.append((clip.identifier, str(clip.path), clip.split, status, reason))
    manifest = pd.DataFrame(rows, columns=clip_manifest.COLUMNS)
    write_text(out / clip_manifest.FILE, manifest.to_csv(index=False))
    if not failures:
        shutil.rmtree(parts)
    return Extraction(out, manifest)


def _add(clip: SourceClip, store: StoreWriter, part: Path) -> dict[str, str]:
    """Add a part to the store; give what the clip lacks, and why."""
    words = _read_words(part)
    with safe_open(part, framework="numpy") as file:
        arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (it is no dictionary)
    tokens = arrays.pop("tokens", np.zeros((0, 3), np.int64))
    store.add(clip.split, Clip(clip.identifier, words["transcript"], arrays, clip.labels, tokens, words["pieces"]))
    missing: dict[str, str] = words["missing"]
    return missing
