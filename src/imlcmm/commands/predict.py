"""The command that scores videos."""

import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from imlcmm.commands.show import show
from imlcmm.errors import MediaError
from imlcmm.features.extractor_options import ExtractorOptions

if TYPE_CHECKING:
    from imlcmm.prediction.result import VideoPrediction

_QUIET = 3.0


def predict(
    paths: Sequence[Path],
    *,
    extractor: ExtractorOptions,
    model: Path | None = None,
    transcript: str | None = None,
    pictures: Path | None = None,
    export: Path | None = None,
    format: Literal["json", "csv", "parquet", "srt", "vtt", "eaf"] | None = None,
    workers: int = 1,
    time_limit: float = 600.0,
    memory_limit: float = 6.0,
    ray: str | None = None,
    timing: bool = False,
    own_models: Sequence[str] = (),
) -> None:
    """Score video or sound files: sentiment by utterance, of all modalities and of each, with a timeline.

    Args:
        paths: Files, or folders of files.
        model: Run, checkpoint, file of `imlcmm export`, installed model, or OWNER/NAME on the hub; without it the
            starter model, which reads text alone.
        transcript: What is said in a single file, or a file of it; otherwise a .srt, .vtt, .ass, .ssa, .lrc or .txt
            beside each file, or the speech.
        pictures: Folder of the timeline pictures; without it there are none.
        export: File to write: .json, .csv or .parquet, and for a single file .srt, .vtt or .eaf; or a folder, with
            --format. What was scored before a kill is not scored again.
        format: Format of a file each in the folder of --export.
        extractor: What to extract with.
        workers: Processes.
        time_limit: Seconds without coming further in a file after which it is given up.
        memory_limit: GiB of memory that one file may take.
        ray: Address of a Ray cluster to work on (HOST:PORT, auto, or local), whose machines see the same folders; needs
            --export.
        timing: Say in the end where the time went.
        own_models: Modules whose models the checkpoint may name.
    """
    from imlcmm.features.media.folder import media_files
    from imlcmm.features.subtitles.transcripts import given_transcript
    from imlcmm.files import check_folder
    from imlcmm.jobs.workers import Limits
    from imlcmm.prediction.description import describe_prediction
    from imlcmm.prediction.export import check_export
    from imlcmm.prediction.export import export as write
    from imlcmm.prediction.scoring import Scoring, score_files
    from imlcmm.prediction.spent import forget_spent
    from imlcmm.progress import Progress

    files = media_files(paths)
    if transcript is not None and len(files) != 1:
        raise MediaError(f"--transcript is for one file, but there are {len(files)}; put a .txt beside each")
    if export:
        check_export(files, export, format)
    elif format:
        raise MediaError(f"--format {format} needs a folder to write to: --export FOLDER")
    if ray and not export:
        raise MediaError("--ray needs --export FILE, beside which all machines leave their results")
    if pictures:
        check_folder(pictures)
    given = None if transcript is None else given_transcript(transcript)
    scoring, limits = Scoring(model, extractor, given, own_models, timing), Limits(time_limit, memory_limit)
    predictions = {}
    with _parts(export) as parts, Progress(total=len(files), desc="predicting", unit="file", delay=_QUIET) as bar:
        forget_spent(parts)
        for prediction in score_files(
            files, scoring, parts, workers=workers, limits=limits, ray=ray,
            reached=lambda path, second: bar.set_postfix({path.name: _clock(second)}),
        ):  # fmt: skip
            predictions[prediction.path] = prediction
            with bar.external_write_mode():
                show(describe_prediction(prediction))
            if pictures:
                _draw(prediction, pictures)
            bar.update()
        _tell_time(parts if timing else None)
        if export:
            write([predictions[path] for path in files], export, format)
            show(f"written to {export}")
        if failed := sum(bool(prediction.failure) for prediction in predictions.values()):
            again = "; what was scored is kept for another try" if export else ""
            raise MediaError(f"{failed} of {len(files)} files gave no result; the reasons are above{again}")


@contextmanager
def _parts(export: Path | None) -> Iterator[Path]:
    """Give the folder that keeps single results: beside what is exported, so that another run goes on there."""
    if export is None:
        with TemporaryDirectory() as folder:
            yield Path(folder)
        return
    parts = export.with_name(f"{export.name}.parts")
    yield parts
    shutil.rmtree(parts)


def _tell_time(parts: Path | None) -> None:
    """Say where the time went since the program began."""
    if parts:
        import psutil

        from imlcmm.prediction.spent import describe_spent, read_spent

        whole = time.time() - psutil.Process().create_time()
        sys.stderr.write(f"{describe_spent(read_spent(parts), whole)}\n")


def _draw(prediction: "VideoPrediction", folder: Path) -> None:
    if prediction.utterances:
        from imlcmm.prediction.timeline import draw_timeline

        folder.mkdir(parents=True, exist_ok=True)
        draw_timeline(prediction, folder / f"{prediction.path.name}.png")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"
