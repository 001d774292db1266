"""Rolling captions, as recognisers of video sites write them: each cue repeats what the one before showed last."""

from collections.abc import Sequence
from itertools import pairwise

from imlcmm.features.subtitles.cues import Cue

_BLINK = 0.05


def unrolled(cues: Sequence[Cue]) -> list[Cue]:
    """Leave out of each cue the lines that only repeat; captions that do not roll stay as they are.

    Captions roll where cues begin with what was shown last and go on with something new, or repeat it for a blink: one
    such cue is enough beside lines with times inside, otherwise half of the cues must. Somebody who says the same twice
    does neither.
    """
    repeated = [0, *(_repeated(before, cue) for before, cue in pairwise(cues))][: len(cues)]
    pairs = list(zip(cues, repeated, strict=True))
    goes_on = sum(0 < count < len(cue.lines) for cue, count in pairs)
    rolls = sum(count > 0 for count in repeated)
    timed = any(line.pieces for cue in cues for line in cue.lines)
    if not rolls or (not timed and (not goes_on or rolls < max(2, (len(cues) - 1) / 2))):
        return list(cues)
    new = (cue._replace(lines=cue.lines[count:]) for cue, count in pairs)
    return [cue for cue in new if cue.lines]


def _repeated(before: Cue, cue: Cue) -> int:
    """Count the lines at the beginning of a cue that the cue before showed at its end.

    A line with times is new, and so is a cue that repeats and adds nothing for longer than a blink.
    """
    shown = [line.text for line in before.lines]
    again = [line.text for line in cue.lines]
    old = next((place for place, line in enumerate(cue.lines) if line.pieces), len(again))
    count = next((count for count in range(min(old, len(shown)), 0, -1) if shown[-count:] == again[:count]), 0)
    return 0 if count == len(again) and cue.end - cue.start > _BLINK else count
