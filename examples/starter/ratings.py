"""English texts with the mean of twenty people's ratings (Hutto and Gilbert, ICWSM 2014), in vaderSentiment's archive.

Tweets, and sentences of product reviews, film reviews and newspaper editorials, rated from -4 to +4.
"""

import html
import re
from pathlib import Path

from imlcmm.errors import DataError
from starter.sources import RATINGS, members
from starter.texts import Text, digest, group_texts

SCALE = 4.0
DOMAINS = {
    "tweets": "tweet",
    "amazonReviewSnippets": "product",
    "movieReviewSnippets": "film",
    "nytEditorialSnippets": "editorial",
}


def read_ratings(folder: Path) -> list[Text]:
    """Read the texts; sentences of one product review or editorial stay together, others with what says the same.

    Args:
        folder: Where the archives are.

    Raises:
        DataError: If the archive is damaged.
    """
    read: list[Text] = []
    for name, content in members(folder, RATINGS, r"_GroundTruth\.txt$"):
        domain = DOMAINS[Path(name).stem.removesuffix("_GroundTruth")]
        rows = [_row(name, line) for line in content.decode("utf-8-sig").splitlines() if line.strip()]
        texts = [text for _, _, text in rows]
        whole = domain in ("product", "editorial")
        groups = [digest(f"{domain} {key.split('_')[0]}") for key, _, _ in rows] if whole else group_texts(texts)
        read += [
            Text(domain, group, key, text, label, "en") for group, (key, label, text) in zip(groups, rows, strict=True)
        ]
    return read


def _row(name: str, line: str) -> tuple[str, float, str]:
    try:
        key, rating, text = line.split("\t")
        return key, float(rating) / SCALE, " ".join(re.sub("''", '"', html.unescape(text)).split())
    except ValueError as error:
        raise DataError(f"{name} holds a line that is none ({line[:40]}); delete the archive") from error


def read_noise(folder: Path) -> dict[str, float]:
    """Give each domain's noise floor: the mean absolute error of one rating against the mean of the others, in [-1, 1].

    Args:
        folder: Where the archives are.
    """
    floors = {}
    for name, content in members(folder, RATINGS, r"_anonDataRatings\.txt$"):
        errors = []
        for line in content.decode("utf-8-sig").splitlines():
            ratings = [float(each) for each in line.split("\t")[3].strip("[]").split(",")]
            total, count = sum(ratings), len(ratings)
            errors += [abs(each - (total - each) / (count - 1)) / SCALE for each in ratings]
        floors[DOMAINS[Path(name).stem.removesuffix("_anonDataRatings")]] = sum(errors) / len(errors)
    return floors
