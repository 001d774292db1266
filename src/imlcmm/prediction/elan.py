"""Predictions as annotations of ELAN (.eaf)."""

import mimetypes
import os
from pathlib import Path, PurePath
from urllib.parse import quote

from imlcmm.clean_text import clean_text
from imlcmm.features.cue_names import CUES
from imlcmm.features.words.utterances import UNKNOWN
from imlcmm.files import replacing
from imlcmm.prediction.result import VideoPrediction
from imlcmm.types import MODALITIES, written


def write_elan(prediction: VideoPrediction, path: Path) -> None:
    """Write tiers of words and utterances, of the fused sentiment, of each modality that has numbers, and of each cue.

    A cue stands there with its distance from the speaker's median. Where several speak, the utterances of each have a
    tier of their own, too, which names its participant.
    """
    from pympi.Elan import Eaf

    elan = Eaf(author="imlcmm")
    elan.remove_tier("default")
    mime_type = mimetypes.guess_type(prediction.path.name)[0] or "application/octet-stream"
    elan.add_linked_file(*_media_urls(prediction.path, path), mimetype=mime_type)
    low, utterances = prediction.low, prediction.utterances
    of_speakers = _of_speakers(prediction)
    participants = {f"utterances {name}": name for name in of_speakers}
    tiers = {
        "words": [(word.start, word.end, word.text) for u in utterances for word in u.words],
        "utterances": [(u.start, u.end, u.transcript) for u in utterances],
        **{f"utterances {name}": rows for name, rows in of_speakers.items()},
        "sentiment": [(u.start, u.end, written(u.sentiment, low)) for u in utterances if u.sentiment is not None],
    }
    for m in MODALITIES:
        tiers[m] = [(u.start, u.end, written(u.unimodal[m], low)) for u in utterances if m in u.unimodal]
    away = list(zip(utterances, prediction.cues_over_median, strict=True))
    for name in prediction.usual_cues:
        tiers[f"{name} ({CUES[name]})"] = [
            (u.start, u.end, f"{u.cues[name]:.4g} ({over[name]:+.3g})") for u, over in away if name in over
        ]
    for tier, rows in ((tier, rows) for tier, rows in tiers.items() if rows):
        elan.add_tier(tier, part=participants.get(tier))
        latest = 0
        for start, end, text in rows:
            # Annotations of a tier may not overlap, and last a millisecond at least.
            begin = max(latest, round(start * 1000))
            latest = max(begin + 1, round(end * 1000))
            elan.add_annotation(tier, begin, latest, clean_text(text))
    with replacing(path) as beside:
        elan.to_file(str(beside))


def _of_speakers(prediction: VideoPrediction) -> dict[str, list[tuple[float, float, str]]]:
    """Give the utterances of each who speaks, where there are several; those of whom nobody knows as well."""
    found: dict[str, list[tuple[float, float, str]]] = {}
    if prediction.has_several_speakers:
        for u in prediction.utterances:
            found.setdefault(u.speaker or UNKNOWN, []).append((u.start, u.end, u.transcript))
    return found


def _media_urls(media: Path, path: Path) -> tuple[str, str]:
    """Give the URLs by which ELAN finds a file: the absolute one, and the one from the annotations' folder."""
    relative = PurePath(os.path.relpath(media.resolve(), path.resolve().parent)).as_posix()
    return media.resolve().as_uri(), quote(os.fsencode(relative if relative.startswith("..") else f"./{relative}"))
