"""The fenced blocks of a page, and the commands that stand in them."""

import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import NamedTuple

_FENCED = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", flags=re.MULTILINE | re.DOTALL)


class Block(NamedTuple):
    """What stands between two fences, and the word after the first: `python`, `sh`, nothing, ..."""

    language: str
    text: str


def blocks_of(page: Path) -> list[Block]:
    """List the blocks of a page in order.

    Raises:
        AssertionError: If a line that looks like a fence belongs to none that was found.
    """
    written = page.read_text(encoding="utf-8")
    found = [Block(language.strip(), dedent(text)) for _, language, text in _FENCED.findall(written)]
    fences = [line for line in written.splitlines() if line.lstrip().startswith(("```", "~~~"))]
    assert len(fences) == 2 * len(found), f"{page}: {len(fences)} fences make no {len(found)} blocks"
    return found


def commands_of(block: Block) -> list[list[str]]:
    """Give the words of each command of a shell block, without comments and without variables before it."""
    lines = block.text.replace("\\\n", " ").splitlines()
    commands = [shlex.split(line, comments=True) for line in lines]
    return [_bare(words) for words in commands if words]


def _bare(words: list[str]) -> list[str]:
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words = words[1:]
    return words
