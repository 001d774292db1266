"""SubStation subtitles (.ass, .ssa); what a line of them means is read by pysubs2."""

import re
from collections.abc import Iterator
from pathlib import Path

from pysubs2 import SSAEvent, SSAFile
from pysubs2.formats.substation import parse_tags

from imlcmm.errors import MediaError
from imlcmm.features.subtitles.cues import Cue, Line, check_order, speaker_name

_SECTION = re.compile(r"\s*\[([^]]*)\]\s*")
_USUAL = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")


def substation_cues(lines: list[str], path: Path) -> list[Cue]:
    """Read the dialogue; comments, drawings, everything about looks and the second of two equal layers are left out.

    Raises:
        MediaError: If there are no events, or one of them is broken; it names the line.
    """
    cues = list({(cue.start, cue.end, cue.lines): cue for cue in _cues(lines, path)}.values())
    if not cues and any(line.strip() for line in lines) and not any("[events]" in line.lower() for line in lines):
        raise MediaError(f"{path} has no [Events], as subtitles of SubStation do: check the file")
    return cues


def _cues(lines: list[str], path: Path) -> Iterator[Cue]:
    """Read the lines of the events, whose order of fields the file itself may give."""
    section, fields = "events", list(_USUAL)
    for number, line in enumerate(lines, start=1):
        heading = _SECTION.fullmatch(line)
        name, _, rest = line.partition(":")
        if heading:
            section = heading[1].strip().lower()
        elif section == "events" and name.strip() == "Format":
            fields = [field.strip().lower() for field in rest.split(",")]
            if not {"start", "end", "text"} <= set(fields):
                raise MediaError(f"{path}, line {number}: the format lacks Start, End or Text: mend it")
        elif section == "events" and name.strip() == "Dialogue":
            cells = dict(zip(fields, rest.split(",", len(fields) - 1), strict=False))
            yield _cue(cells, line, number, path)


def _cue(cells: dict[str, str], line: str, number: int, path: Path) -> Cue:
    try:
        plain = f"Dialogue: 0,{cells['start']},{cells['end']},,,0,0,0,,{cells['text']}"
        event = SSAFile.from_string(plain, format_="ass").events[0]
    except (KeyError, ValueError, IndexError) as error:
        raise MediaError(
            f"{path}, line {number}: '{line.strip()[:60]}' is no event: write it as "
            "Dialogue: 0,0:00:01.00,0:00:02.50,Default,,0,0,0,,Text"
        ) from error
    start, end = max(0, event.start) / 1000, max(0, event.end) / 1000
    check_order(start, end, line, number, path)
    texts = (" ".join(text.split()) for text in _without_drawings(event).splitlines())
    speaker = speaker_name(cells.get("name", "") or cells.get("actor", ""))
    return Cue(start, end, tuple(Line(text) for text in texts if text), speaker)


def _without_drawings(event: SSAEvent) -> str:
    """Give the words of an event."""
    return SSAEvent(text="".join(part for part, style in parse_tags(event.text) if not style.drawing)).plaintext
