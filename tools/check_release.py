"""The release checklist, checked: a line for each point, and exit code 1 if one of them is open.

    python tools/check_release.py        # after `make dist`

What no script can see comes last, to be ticked by a person.
"""

import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import yaml

HOME = Path(__file__).parents[1]
LARGEST = 12e6
BY_HAND = (
    "`make test`, `make test-slow` and `make test-browser` passed on a fresh clone",
    "`make test-lowest` and `make test-newest` passed",
    "`make docs` built, and the pages were looked at",
    "`make bench-check` names nothing that became slower without a reason in the changelog",
    "each figure in README.md and docs/results.md comes from a run of this code",
)


def main() -> int:
    """Print the list."""
    points = list(checks())
    for passed, text in points:
        print(f"[{'x' if passed else ' '}] {text}")
    print("\nBy hand:")
    for text in BY_HAND:
        print(f"[ ] {text}")
    return 0 if all(passed for passed, _ in points) else 1


def checks() -> Iterator[tuple[bool, str]]:
    """Go through what a script can see."""
    version = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    citation = yaml.safe_load((HOME / "CITATION.cff").read_text(encoding="utf-8"))
    changes = (HOME / "CHANGELOG.md").read_text(encoding="utf-8")
    unreleased, *released = re.split(r"^## \[", changes, flags=re.MULTILINE)[1:]
    head = re.match(r"([\d.]+)\] - (\d{4}-\d{2}-\d{2})$", released[0].splitlines()[0]) if released else None
    yield citation["version"] == version, f"CITATION.cff is of version {version}"
    yield bool(head) and head[1] == version, f"CHANGELOG.md has a section of {version} with its date, at the top"
    yield bool(head) and str(citation["date-released"]) == head[2], "CITATION.cff has the same date"
    yield not unreleased.partition("\n")[2].strip(), "nothing in CHANGELOG.md is unreleased"
    yield not git("status", "--porcelain"), "everything is committed"
    yield not git("tag", "--list", f"v{version}"), f"there is no tag v{version} yet"
    yield from packages(version)


def packages(version: str) -> Iterator[tuple[bool, str]]:
    """Look at wheel and sdist."""
    wheel, source = (HOME / "dist" / f"imlcmm-{version}{end}" for end in ("-py3-none-any.whl", ".tar.gz"))
    built = wheel.is_file() and source.is_file()
    yield built, f"`make dist` built wheel and sdist of {version}"
    if not built:
        return
    newest = float(git("log", "-1", "--format=%ct"))
    yield min(wheel.stat().st_mtime, source.stat().st_mtime) > newest, "they are younger than the last commit"
    yield max(wheel.stat().st_size, source.stat().st_size) <= LARGEST, f"each has at most {LARGEST / 1e6:g} MB"
    with zipfile.ZipFile(wheel) as content:
        names = set(content.namelist())
    notices = {f"imlcmm-{version}.dist-info/licenses/{name}" for name in ("LICENSE", "THIRD_PARTY.md")}
    yield notices <= names, "the wheel carries the licence and what others made"


def git(*words: str) -> str:
    """Ask git."""
    return subprocess.run(["git", *words], cwd=HOME, check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
