"""The command that scores videos."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from imlcmm.commands.show import show
from imlcmm.errors import MediaError
from imlcmm.features.extractor_options import ExtractorOptions


def predict(
    paths: Sequence[Path],
    *,
    extractor: ExtractorOptions,
    model: Path | None = None,
    transcript: str | None = None,
    pictures: Path | None = None,
    export: Path | None = None,
    format: Literal["json", "csv", "parquet", "srt", "vtt", "eaf"] | None = None,
) -> None:
    """Score video or sound files: sentiment by utterance, of all modalities and of each, with a timeline.

    Args:
        paths: Files, or folders of files.
        model: Run or checkpoint; without it the starter model, which reads text alone.
        transcript: What is said in a single file, or a file of it; otherwise a .srt, .vtt, .ass, .ssa, .lrc or .txt
            beside each file, or the speech.
        pictures: Folder of the timeline pictures; without it there are none.
        export: File to write: .json, .csv or .parquet, and for a single file .srt, .vtt or .eaf; or a folder, with
            --format.
        format: Format of a file each in the folder of --export.
        extractor: What to extract with.
    """
    from imlcmm.datasets.labels.label_file import media_files
    from imlcmm.features.subtitles.transcripts import given_transcript
    from imlcmm.files import check_folder
    from imlcmm.prediction.description import describe_prediction
    from imlcmm.prediction.export import check_export
    from imlcmm.prediction.export import export as write
    from imlcmm.prediction.predictor import Predictor
    from imlcmm.prediction.timeline import draw_timeline
    from imlcmm.progress import Progress

    files = media_files(paths)
    if transcript is not None and len(files) != 1:
        raise MediaError(f"--transcript is for one file, but there are {len(files)}; put a .txt beside each")
    if export:
        check_export(files, export, format)
    elif format:
        raise MediaError(f"--format {format} needs a folder to write to: --export FOLDER")
    if pictures:
        check_folder(pictures)
    given = None if transcript is None else given_transcript(transcript)
    predictor = Predictor.load(model, extractor)
    predictions = []
    for path in Progress(files, desc="predicting", unit="file", disable=len(files) < 2):
        predictions.append(predictor(path, transcript=given))
        show(describe_prediction(predictions[-1]))
        if pictures and predictions[-1].utterances:
            pictures.mkdir(parents=True, exist_ok=True)
            draw_timeline(predictions[-1], pictures / f"{path.name}.png")
    if export:
        write(predictions, export, format)
        show(f"written to {export}")
    failed = [prediction for prediction in predictions if prediction.failure]
    if failed:
        raise MediaError(f"{len(failed)} of {len(files)} files gave no result; the reasons are above")
