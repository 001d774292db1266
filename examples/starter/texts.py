"""A text with its sentiment, and how texts are kept apart: what says nearly the same is on one side of every split."""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import NamedTuple

RUN = 8
COMMON = 50


class Text(NamedTuple):
    """A text.

    Attributes:
        domain: What kind of text it is, such as "tweet".
        group: Digest of what it must not be parted from.
        name: Its name in its source, unique in the domain.
        text: What it says, with single spaces.
        label: Its sentiment in [-1, 1]: people's mean rating, or -1 and +1 where only good and bad are known.
        language: en or zh.
    """

    domain: str
    group: str
    name: str
    text: str
    label: float
    language: str

    @property
    def identifier(self) -> str:
        """Name it as a clip of the video that its group is."""
        return f"{self.domain}-{self.group[:16]}$_${self.name}"

    @property
    def split(self) -> str:
        """Put eight groups of ten into train, one into valid, one into test, where all editorials are."""
        if self.domain == "editorial":
            return "test"
        return ("train", "valid", "test")[max(0, int(self.group[-8:], 16) % 10 - 7)]


def digest(text: str) -> str:
    """Give what names a group."""
    return hashlib.sha256(text.encode()).hexdigest()


def group_texts(texts: Sequence[str]) -> list[str]:
    """Find texts that say nearly the same: half the runs of eight letters of the shorter one are in the longer one.

    Phrases that many texts have, such as a hotel's thanks, do not count. What joins two texts joins all three.

    Returns:
        The digest of each text's group.
    """
    letters = [_letters(text) for text in texts]
    names = [digest(text) for text in letters]
    runs = [{text[i : i + RUN] for i in range(max(1, len(text) - RUN + 1))} for text in letters]
    holders: dict[str, list[int]] = defaultdict(list)
    parents = list(range(len(texts)))

    def root(i: int) -> int:
        while parents[i] != i:
            parents[i] = i = parents[parents[i]]
        return i

    common = {run for run, count in Counter(run for own in runs for run in own).items() if count > COMMON}
    for i, own in enumerate(runs):
        shared = Counter(other for run in own - common for other in holders[run])
        for other, count in shared.items():
            if 2 * count >= min(len(own), len(runs[other])):
                first, second = sorted((root(i), root(other)), key=lambda member: names[member])
                parents[second] = first
        for run in own:
            holders[run].append(i)
    return [names[root(i)] for i in range(len(texts))]


def _letters(text: str) -> str:
    """Give what is left of a text without case, punctuation and spaces."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum()) or text
