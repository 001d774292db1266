"""What a worker hands over while it works: lines of JSON in a file, each of which the server takes once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def say(out: Path, what: str, **content: Any) -> None:
    """Add a line."""
    with out.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"what": what, **content}, ensure_ascii=False) + "\n")


class Heard:
    """Reads what is new."""

    def __init__(self, out: Path) -> None:
        """Begin at the start of the file."""
        self.out, self._place = out, 0

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Give the lines that are complete since the last time."""
        if not self.out.exists():
            return
        with self.out.open("rb") as file:
            file.seek(self._place)
            for line in file:
                if not line.endswith(b"\n"):
                    return
                self._place += len(line)
                yield json.loads(line)
