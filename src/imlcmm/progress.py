"""What is told on standard error: warnings, and progress as a bar or, in a log, a line now and then."""

import logging
import sys
from typing import Any

from tqdm import tqdm

SECONDS = 30.0
"""How often a line is written where there is no terminal."""


def tell_warnings(debug: bool = False) -> None:
    """Write warnings, each a line; with `debug` everything that is logged, with the module that says it."""
    form = "%(name)s: %(message)s" if debug else "warning: %(message)s"
    logging.basicConfig(level=logging.DEBUG if debug else logging.WARNING, format=form)


class Progress(tqdm):
    """A bar of tqdm that a log file can hold."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Take what tqdm takes."""
        if not sys.stderr.isatty():
            options = {
                "mininterval": SECONDS,
                "maxinterval": SECONDS,
                "delay": SECONDS,
                "ncols": 100,
                "ascii": True,
                **options,
                "file": _Lines(sys.stderr),
            }
        super().__init__(*arguments, **options)

    def set_postfix(self, *arguments: Any, refresh: bool = True, **options: Any) -> None:
        """Set what stands behind the bar; a log hears of it with the next line."""
        super().set_postfix(*arguments, refresh=refresh and sys.stderr.isatty(), **options)


class _Lines:
    """Write a line where a bar would be drawn anew."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write what is not blank."""
        said = text.replace("\r", "").strip()
        if said:
            self._file.write(f"{said}\n")

    def flush(self) -> None:
        """Write through."""
        self._file.flush()
