"""A prediction as a table that one reads in a terminal."""

from imlcmm.clean_text import path_text
from imlcmm.features.cue_names import CUES
from imlcmm.prediction.result import UtterancePrediction, VideoPrediction
from imlcmm.types import MODALITIES, written, written_interval

_WIDEST = 48


def describe_prediction(prediction: VideoPrediction) -> str:
    """Write a line an utterance: times, fused sentiment with interval and confidence, modalities, words."""
    failed = [f"{path_text(prediction.path)}: {prediction.failure}"] if prediction.failure else []
    if not prediction.utterances:
        return "\n".join(failed)
    head = ["time (s)", "sentiment", "interval", "sure", *MODALITIES, "", "words"]
    rows = [_cells(u, prediction.low) for u in prediction.utterances]
    if prediction.has_several_speakers:
        head.insert(1, "speaker")
        for row, u in zip(rows, prediction.utterances, strict=True):
            row.insert(1, u.speaker)
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    missing = {f"{m}: {why}" for u in prediction.utterances for m, why in u.missing.items()}
    notes = [f"  {note}" for note in sorted(missing)] + _moments(prediction)
    sign = "+" if prediction.low < 0 else ""
    scale = f"{prediction.low:{sign}g} to {prediction.high:{sign}g}"
    head_line = f"{path_text(prediction.path)} ({prediction.model}, {scale})"
    return "\n".join([head_line, *(line.rstrip() for line in lines), *notes, *failed])


def _cells(u: UtterancePrediction, low: float) -> list[str]:
    return [
        f"{u.start:.1f}-{u.end:.1f}",
        written(u.sentiment, low),
        written_interval(u.interval, low),
        f"{u.confidence:.0%}" if u.confidence is not None else "–",
        *(written(u.unimodal.get(m), low) for m in MODALITIES),
        ", ".join(filter(None, [u.agreement, *u.doubts])),
        u.transcript if len(u.transcript) <= _WIDEST else u.transcript[: _WIDEST - 1] + "…",
    ]


def _moments(prediction: VideoPrediction) -> list[str]:
    """Name what was measured and, if the file is a single utterance, what mattered most."""
    cues = ", ".join(f"{name} {value:.3g} {CUES[name]}" for name, value in prediction.usual_cues.items())
    several = " (medians)" if len(prediction.utterances) > 1 else ""
    measured = [f"  measured, no sentiment{several}: {cues}"] if cues else []
    if len(prediction.utterances) != 1:
        return measured
    (u,) = prediction.utterances
    words = ", ".join(f"“{each.word}” ({each.change:+.2f})" for each in u.contributions)
    looks = [f"{m.modality} looked at {m.start:.1f}-{m.end:.1f} s ({m.weight:.1f} times its share)" for m in u.moments]
    return [*([f"  text hinges on {words}"] if words else []), *(f"  {each}" for each in looks), *measured]
