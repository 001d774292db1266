"""Stretches of a recording in which somebody speaks."""

import math
from collections.abc import Iterable

from imlcmm.errors import MediaError

Region = tuple[float, float]
"""Seconds at which speech begins and ends."""


class SpeechClock:
    """Turns seconds of speech, counted without the pauses, into seconds of the recording."""

    def __init__(self, regions: Iterable[Region]) -> None:
        """Hold the regions, put in order and joined where they overlap.

        Raises:
            MediaError: If there are none.
        """
        self.regions = join_regions(regions)
        if not self.regions:
            raise MediaError("no speech regions are given: give at least one pair of start and end in seconds")

    @property
    def total(self) -> float:
        """Seconds of speech."""
        return math.fsum(end - start for start, end in self.regions)

    def __call__(self, start: float, end: float) -> Region:
        """Place a stretch of speech; one that a pause would tear goes where most of it lies."""
        before, best, placed = 0.0, -1.0, self.regions[-1]
        for first, last in self.regions:
            inside = max(start, before), min(end, before + last - first)
            share = inside[1] - inside[0]
            # A stretch without length, at a pause, belongs to what comes before.
            if share > best and inside[0] <= inside[1]:
                best = share
                placed = min(last, first + inside[0] - before), min(last, first + inside[1] - before)
            before += last - first
        return placed if best >= 0 else (self.regions[-1][1], self.regions[-1][1])


def join_regions(regions: Iterable[Region]) -> list[Region]:
    """Put regions in order and join those that touch or overlap."""
    joined: list[Region] = []
    for start, end in sorted(regions):
        if joined and start <= joined[-1][1]:
            joined[-1] = joined[-1][0], max(end, joined[-1][1])
        else:
            joined.append((start, end))
    return joined


def stretches(regions: Iterable[Region], longest: float) -> list[Region]:
    """Gather regions of speech into stretches of at most `longest` seconds; a longer region stays whole."""
    gathered: list[Region] = []
    for start, end in join_regions(regions):
        if gathered and end - gathered[-1][0] <= longest:
            gathered[-1] = gathered[-1][0], end
        else:
            gathered.append((start, end))
    return gathered
