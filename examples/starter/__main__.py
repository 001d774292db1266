"""Make the starter model of the package: fetch the texts, encode them, train, measure.

    PYTHONPATH=examples python -m starter data/starter

Stopped and started again, it goes on where it was.
"""

import argparse
from pathlib import Path

from imlcmm.datasets.loading import load_dataset
from imlcmm.features.text.encoder import TextExtractor
from starter.neutral import read_neutral
from starter.ratings import read_ratings
from starter.reviews import read_reviews
from starter.sources import SOURCES, fetch
from starter.store import with_spoken, write_store
from starter.train import install, train


def main() -> None:
    """Make the data set, train, and put the model into the package."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of archives, data and run")
    folder = parser.parse_args().folder
    sources, store = folder / "sources", folder / "texts"
    fetch(sources)
    if not store.exists():
        reviews, counts = read_reviews(sources)
        texts = with_spoken([*read_ratings(sources), *reviews, *read_neutral(sources)])
        print(f"{len(texts)} texts", flush=True)
        notes = {"sources": [source._asdict() for source in SOURCES], "reviews": counts}
        print(write_store(store, texts, TextExtractor(), notes=notes), flush=True)
    data = load_dataset(store)
    install(train(data, folder / "run"), data, sources)


if __name__ == "__main__":
    main()
