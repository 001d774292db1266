"""An explanation as a table that one reads in a terminal."""

import numpy as np

from imlcmm.reports.explanations.explanation import Explanation, Opinion
from imlcmm.types import written, written_interval

SHOWN = 3


def describe_explanation(explanation: Explanation) -> str:
    """Write a line a head, then what was looked at and which features mattered, a line a modality."""
    e = explanation
    lines = [f"{e.clip} ({e.split}{', SIMULATED' if e.simulated else ''}), {e.run}, {e.seed}", f"“{e.transcript}”", ""]
    lines += _aligned([("head", "label", "predicted", "90 % interval", "sure", "other seeds"), *opinion_rows(e)])
    if e.missing:
        lines.append(f"missing: {', '.join(e.missing)}")
    if not e.pieces and ("text" in e.pools or e.maps):
        lines.append("how the steps of the text are written is not known, so they are counted from 0")
    for m, weights in e.pools.items():
        best = np.argsort(-weights, kind="stable")[:SHOWN].tolist()
        places = ", ".join(f"{_place(e, m, i)} ({weights[i] * len(weights):.1f})" for i in best)
        lines.append(f"{m} looked at {places} (times an equal share)")
    for m, share in e.maps.items():
        step, frame = divmod(int(share.argmax()), share.shape[1])
        most = f"{m} {_place(e, m, frame)} ({share.max() * share.size:.1f})"
        lines.append(f"text {_place(e, 'text', step)} looked most at {most}")
    for m, named in e.features.items():
        lines.append(f"{m} features: {', '.join(f'{name} {effect:+.2g}' for name, effect in named[:SHOWN])}")
    return "\n".join(lines)


def opinion_rows(explanation: Explanation) -> list[tuple[str, ...]]:
    """Lay out what each head says, a row a head."""
    return [_row(opinion, explanation.low) for opinion in explanation.opinions]


def _row(o: Opinion, low: float) -> tuple[str, ...]:
    return (
        o.head,
        written(o.label, low),
        written(o.sentiment, low),
        written_interval(o.interval, low),
        f"{o.confidence:.0%}" if o.confidence is not None else "–",
        ", ".join(written(other, low) for other in o.others) or "–",
    )


def _place(explanation: Explanation, modality: str, step: int) -> str:
    if modality == "text" and step < len(explanation.pieces):
        return f"“{explanation.pieces[step]}” (step {step})"
    rate = explanation.rates.get(modality)
    return f"{step / rate:.1f} s" if rate else f"step {step}"


def _aligned(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
