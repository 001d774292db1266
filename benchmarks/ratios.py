"""Print every ratio on README.md's page in one table, and say what became slower since the page was last committed.

    python benchmarks/ratios.py [--slack 0.15]

Ratios say how many times as fast imlcmm is as what was measured beside it in the same run, so pages of several machines
can be compared, where seconds cannot. Ends with 1 where a ratio fell by more than the slack.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from page import README

RATIO = re.compile(r"(\d[\d.]*)x")
PARTS = ("forward", "to weights", "to x too")


def main() -> None:
    """Compare the page with the committed one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slack", type=float, default=0.15, help="share that a ratio may fall by")
    slack = parser.parse_args().slack
    now, stored = ratios(README.read_text()), ratios(committed(README))
    print("| measured | ratio | committed |\n|---|---|---|")
    for name, ratio in now.items():
        print(f"| {name} | {ratio:.2f} | {f'{stored[name]:.2f}' if name in stored else '–'} |")
    slower = [name for name, ratio in now.items() if ratio < stored.get(name, 0) * (1 - slack)]
    for name in stored.keys() - now.keys():
        print(f"not measured any more: {name}", file=sys.stderr)
    for name in slower:
        print(f"slower: {name}: {now[name]:.2f} times, was {stored[name]:.2f}", file=sys.stderr)
    print(f"{len(slower)} of {len(now)} ratios fell by more than {slack:.0%}", file=sys.stderr)
    sys.exit(bool(slower))


def committed(file: Path) -> str:
    """Read a file as it was last committed; nothing where it was not."""
    command = ["git", "show", f"HEAD:./{file.name}"]
    done = subprocess.run(command, cwd=file.parent, capture_output=True, text=True, check=False)
    return done.stdout


def ratios(page: str) -> dict[str, float]:
    """Find the ratios of a page, by section, row and column."""
    return {name: value for section in page.split("<!-- begin ")[1:] for name, value in of_section(section)}


def of_section(section: str) -> Iterator[tuple[str, float]]:
    """Find the cells such as 1.4x, and those of tables of peers, which hold three ratios."""
    title, header = section.split(" -->", maxsplit=1)[0], [""]
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            header = [""]
        elif header == [""]:
            header = cells
        else:
            for place, (column, cell) in enumerate(zip(header[1:], cells[1:], strict=False), start=1):
                # Two columns may have one name: what stands before tells them apart.
                name = (
                    f"{title}: {cells[0]}, {column if header.count(column) == 1 else f'{column} ({header[place - 1]})'}"
                )
                if header[0] == "peer" and not cell.startswith(("–", "-")):
                    for part, figure in zip(PARTS, cell.split("/"), strict=False):
                        yield f"{name}, {part}", float(figure)
                elif found := RATIO.fullmatch(cell):
                    yield name, float(found[1])


if __name__ == "__main__":
    main()
