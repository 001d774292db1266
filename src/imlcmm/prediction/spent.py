"""What scoring took by stage, gathered from all processes through the folder that they leave their results in."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict
from uuid import uuid4

from imlcmm.files import write_json
from imlcmm.untrusted import inside, read_json

_ENDING = ".seconds.json"


class _Note(TypedDict):
    stages: list[str]
    seconds: list[float]


def forget_spent(parts: Path) -> None:
    """Remove what an earlier run has left."""
    for file in parts.glob(f"*{_ENDING}"):
        file.unlink(missing_ok=True)


def new_note(parts: Path) -> Path:
    """Name a file for the seconds of one process."""
    return parts / f"{uuid4().hex}{_ENDING}"


def write_spent(note: Path, seconds: Mapping[str, float]) -> None:
    """Write the seconds of a process so far."""
    write_json(note, {"stages": list(seconds), "seconds": list(seconds.values())})


def read_spent(parts: Path) -> dict[str, float]:
    """Add up the seconds of all processes by stage, in the order in which the stages begin."""
    total: defaultdict[str, float] = defaultdict(float)
    for file in sorted(parts.glob(f"*{_ENDING}")):
        noted: _Note = read_json(inside(parts, file.name), _Note)
        for stage, seconds in zip(noted["stages"], noted["seconds"], strict=True):
            total[stage] += seconds
    return dict(total)


def describe_spent(seconds: Mapping[str, float], whole: float) -> str:
    """Say in a line where the time went.

    Args:
        seconds: Seconds of each stage in all processes.
        whole: Seconds by the clock; what one process did not spend on a stage went into starting.
    """
    rest = whole - sum(seconds.values())
    parts = {"starting": rest, **seconds} if rest > 0 else seconds
    told = ", ".join(f"{stage} {spent:.1f}" for stage, spent in parts.items())
    return f"time: {whole:.1f} s: {told}{'' if rest > 0 else ' (processes together)'}"
