"""Where results go: standard output. Everything else goes to standard error."""

import os
import shutil
import sys

from imlcmm.commands.fitting import fitted


def show(text: str) -> None:
    """Print a result; in a terminal, its tables as wide as that at most.

    A reader who has seen enough, such as `| head`, ends nothing but the printing.
    """
    whole = fitted(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text
    try:
        sys.stdout.write(whole.rstrip() + "\n")
        sys.stdout.flush()  # a server that writes to a file is heard at once
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
