"""Texts that state or ask and praise nothing: talk on facts, and what programs write on their screens.

Nobody rated them; they are taken as neutral by their kind.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from starter.sources import SCREENS, TALKS, members
from starter.texts import Text, digest, group_texts

TOPICS = "ai|computers|history|literature|money|science|sports|trivia"
_LANGUAGES = {"english": "en", "chinese": "zh"}
_ENTRY = re.compile(r'^msgid ((?:".*"\n)+)msgstr ((?:".*"\n)+)', re.MULTILINE)


def read_neutral(folder: Path) -> list[Text]:
    """Read them, each once.

    Args:
        folder: Where the archives are.
    """
    said = {(text, language): domain for domain, language, text in [*_talks(folder), *_screens(folder)]}
    groups = group_texts([text for text, _ in said])
    return [
        Text(domain, group, f"{language}-{digest(text)[:12]}", text, 0.0, language)
        for group, ((text, language), domain) in zip(groups, said.items(), strict=True)
    ]


def _talks(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Give the lines of conversations on facts."""
    for name, content in members(folder, TALKS, rf"data/(english|chinese)/({TOPICS})\.yml$"):
        for turns in yaml.safe_load(content)["conversations"]:
            for turn in turns:
                text = " ".join(str(turn).split())
                if len(text) > 3 and not text.isdigit():
                    yield "talk", _LANGUAGES[Path(name).parent.name], text


def _screens(folder: Path) -> Iterator[tuple[str, str, str]]:
    """Give what Django's pages say, in English and in Chinese."""
    for _, content in members(folder, SCREENS, r"locale/zh_Hans/LC_MESSAGES/django\.po$"):
        for both in _ENTRY.findall(content.decode("utf-8")):
            for language, quoted in zip(("en", "zh"), both, strict=True):
                text = "".join(ast.literal_eval(line) for line in quoted.splitlines())
                text = " ".join(re.sub(r"%\(\w+\)s|%s|%d", "3", text).split())
                if len(text) > 3 and "<" not in text and "Project-Id" not in text:
                    yield "screen", language, text
