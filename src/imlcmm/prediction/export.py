"""Writing predictions in the formats that other programs read."""

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd

from imlcmm.errors import ImlcmmError, MissingPackageError
from imlcmm.features.clean_text import clean_text, path_text
from imlcmm.features.subtitles import write_srt, write_vtt
from imlcmm.features.utterances import Utterance
from imlcmm.files import replacing, write_json, write_text
from imlcmm.prediction.result import VideoPrediction
from imlcmm.types import MODALITIES, written


def export(predictions: Sequence[VideoPrediction], path: Path) -> None:
    """Write predictions; the name's ending says how.

    JSON, CSV and Parquet hold all files; SRT, VTT and EAF (ELAN) hold one.

    Raises:
        ImlcmmError: If the ending is none of these, or one file cannot hold so many.
        MissingPackageError: If the format needs a package that is not installed.
    """
    ending = path.suffix.lower()
    if ending in TABLES:
        TABLES[ending](predictions, path)
    elif ending in TIMELINES:
        if len(predictions) != 1:
            raise ImlcmmError(f"{path}: {ending} holds one file, but there are {len(predictions)}; export a .json")
        TIMELINES[ending](predictions[0], path)
    else:
        raise ImlcmmError(f"{path}: the ending must be one of {', '.join([*TABLES, *TIMELINES])}")


def table(predictions: Sequence[VideoPrediction]) -> pd.DataFrame:
    """Give a row an utterance, or a row with the reason for each file that failed."""
    return pd.DataFrame([row for prediction in predictions for row in prediction.rows])


def _json(predictions: Sequence[VideoPrediction], path: Path) -> None:
    write_json(path, [prediction.to_dict() for prediction in predictions])


def _csv(predictions: Sequence[VideoPrediction], path: Path) -> None:
    write_text(path, table(predictions).to_csv(index=False))


def _parquet(predictions: Sequence[VideoPrediction], path: Path) -> None:
    try:
        with replacing(path) as beside:
            table(predictions).to_parquet(beside, index=False)
    except ImportError as error:
        raise MissingPackageError("Parquet needs pyarrow: pip install 'imlcmm[export]'") from error


def _srt(prediction: VideoPrediction, path: Path) -> None:
    write_text(path, write_srt(_captions(prediction)))


def _vtt(prediction: VideoPrediction, path: Path) -> None:
    write_text(path, write_vtt(_captions(prediction)))


def _captions(prediction: VideoPrediction) -> list[Utterance]:
    """Put the sentiment before the words."""
    low = prediction.low
    return [
        Utterance(u.start, u.end, f"[{written(u.sentiment, low)}] {u.transcript}".strip())
        for u in prediction.utterances
    ]


def _eaf(prediction: VideoPrediction, path: Path) -> None:
    """Write a tier for the words, for the fused sentiment, and for each modality."""
    try:
        from pympi.Elan import Eaf
    except ImportError as error:
        raise MissingPackageError("EAF needs pympi: pip install 'imlcmm[export]'") from error
    elan = Eaf(author="imlcmm")
    elan.remove_tier("default")
    elan.add_linked_file(path_text(prediction.path))
    for tier in ("words", "sentiment", *MODALITIES):
        elan.add_tier(tier)
    for u in prediction.utterances:
        span = round(u.start * 1000), max(round(u.end * 1000), round(u.start * 1000) + 1)
        values = {
            "words": clean_text(u.transcript),
            "sentiment": "" if u.sentiment is None else written(u.sentiment, prediction.low),
        }
        values |= {m: written(value, prediction.low) for m, value in u.unimodal.items()}
        for tier, value in values.items():
            elan.add_annotation(tier, *span, value)
    with replacing(path) as beside:
        elan.to_file(str(beside))


TABLES: dict[str, Callable[[Sequence[VideoPrediction], Path], None]] = {
    ".json": _json,
    ".csv": _csv,
    ".parquet": _parquet,
}
TIMELINES: dict[str, Callable[[VideoPrediction, Path], None]] = {".srt": _srt, ".vtt": _vtt, ".eaf": _eaf}
