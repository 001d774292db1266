"""Where results go: standard output. Everything else goes to standard error."""

import sys


def show(text: str) -> None:
    """Print a result."""
    sys.stdout.write(text.rstrip() + "\n")
