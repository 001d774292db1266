"""Writing predictions in the formats that other programs read."""

from collections.abc import Callable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imlcmm.errors import ImlcmmError, MissingPackageError
from imlcmm.features.subtitles.transcripts import write_srt, write_vtt
from imlcmm.features.words.utterances import Utterance
from imlcmm.files import check_folder, replacing, write_json, write_text
from imlcmm.prediction.elan import write_elan
from imlcmm.prediction.result import VideoPrediction
from imlcmm.spreadsheet import spreadsheet_text
from imlcmm.types import written

if TYPE_CHECKING:
    from pandas import DataFrame
else:
    # What checks types at run time finds the name, though pandas is imported only where a table is written.
    DataFrame = Any


def check_export(files: Sequence[Path], out: Path, form: str | None = None) -> None:
    """Refuse, before anything is scored, what `export` could not write of the predictions of these files.

    Raises:
        ImlcmmError: If the format is not known, one file cannot hold so many, or nothing can be written there.
        MissingPackageError: If the format needs a package that is not installed.
    """
    ending = f".{form}" if form else out.suffix.lower()
    if ending not in {**TABLES, **TIMELINES}:
        raise ImlcmmError(
            f"{out}: the ending must be one of {', '.join([*TABLES, *TIMELINES])}; for a folder, add --format srt"
        )
    package = _PACKAGES.get(ending)
    if package and find_spec(package) is None:
        raise MissingPackageError(f"{ending} needs {package}: pip install 'imlcmm[export]'")
    if form is None and ending in TIMELINES and len(files) != 1:
        raise ImlcmmError(
            f"{out}: {ending} holds one file, but there are {len(files)}; give a folder and --format {ending[1:]} for "
            "one each, or export a .json"
        )
    if form:
        check_folder(out)
        _own_names(files)
    else:
        check_folder(out.parent)
        if out.is_dir():
            raise ImlcmmError(f"{out} is a folder; add --format {ending[1:]} for a file each in it")


def export(predictions: Sequence[VideoPrediction], out: Path, form: str | None = None) -> None:
    """Write predictions to one file, whose ending says how, or to a folder, a file each.

    JSON, CSV and Parquet hold all files; SRT, VTT and EAF (ELAN) hold one.

    Args:
        predictions: What was said of each file.
        out: The file, or the folder if there is a format.
        form: The format of a file each, such as srt.

    Raises:
        ImlcmmError: As `check_export`.
    """
    check_export([prediction.path for prediction in predictions], out, form)
    if form is None:
        _write(predictions, out)
        return
    out.mkdir(parents=True, exist_ok=True)
    for prediction, name in zip(predictions, _own_names([p.path for p in predictions]), strict=True):
        _write([prediction], out / f"{name}.{form}")


def _write(predictions: Sequence[VideoPrediction], path: Path) -> None:
    ending = path.suffix.lower()
    if ending in TABLES:
        TABLES[ending](predictions, path)
    else:
        TIMELINES[ending](predictions[0], path)


def _own_names(files: Sequence[Path]) -> list[str]:
    """Name each file's own export: by its stem, and where two have the same, by its whole name."""
    for names in ([path.stem for path in files], [path.name for path in files]):
        if len(set(names)) == len(names):
            return names
    twice = next(name for name in names if names.count(name) > 1)
    raise ImlcmmError(f"two files are named {twice}, so that one's export would replace the other's; score them apart")


def table(predictions: Sequence[VideoPrediction]) -> DataFrame:
    """Give a row an utterance, or a row with the reason for each file that failed."""
    import pandas as pd

    return pd.DataFrame([row for prediction in predictions for row in prediction.rows])


def _json(predictions: Sequence[VideoPrediction], path: Path) -> None:
    write_json(path, [prediction.to_dict() for prediction in predictions])


def _csv(predictions: Sequence[VideoPrediction], path: Path) -> None:
    rows = table(predictions)
    texts = rows.select_dtypes(include=["object", "string"]).columns
    rows[texts] = rows[texts].map(lambda cell: spreadsheet_text(cell) if isinstance(cell, str) else cell)
    write_text(path, rows.to_csv(index=False))


def _parquet(predictions: Sequence[VideoPrediction], path: Path) -> None:
    with replacing(path) as beside:
        table(predictions).to_parquet(beside, index=False)


def _srt(prediction: VideoPrediction, path: Path) -> None:
    write_text(path, write_srt(_captions(prediction, name_in_words=True)))


def _vtt(prediction: VideoPrediction, path: Path) -> None:
    write_text(path, write_vtt(_captions(prediction)))


def _captions(prediction: VideoPrediction, *, name_in_words: bool = False) -> Iterator[Utterance]:
    """Put the sentiment before the words, and name the speaker where there are several; SubRip has no tag for that."""
    shown = prediction.has_several_speakers
    for u in prediction.utterances:
        name = u.speaker if shown else ""
        said = f"{name}: {u.transcript}" if name and name_in_words else u.transcript
        yield Utterance(u.start, u.end, f"[{written(u.sentiment, prediction.low)}] {said}".strip(), speaker=name)


TABLES: dict[str, Callable[[Sequence[VideoPrediction], Path], None]] = {
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
TIMELINES: dict[str, Callable[[VideoPrediction, Path], None]] = {".srt": _srt, ".vtt": _vtt, ".eaf": write_elan}
_PACKAGES = {".parquet": "pyarrow", ".eaf": "pympi"}
