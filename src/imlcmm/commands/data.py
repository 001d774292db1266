"""Commands that make data sets."""

from pathlib import Path
from typing import Literal

from imlcmm.commands.show import show
from imlcmm.errors import DataError
from imlcmm.features.extractor_options import ExtractorOptions


def convert(
    source: Path,
    out: Path,
    *,
    kind: str | None = None,
    dtype: Literal["float32", "float16"] | None = None,
    to: Literal["parquet", "webdataset"] | None = None,
    words: bool = False,
) -> None:
    """Turn one of the field's feature files, or Parquet or tar shards, into a store, or a store back; print the card.

    Args:
        source: Feature pickle, folder of Parquet files or WebDataset shards, or store.
        out: Store to write; a name ending in .pkl writes a pickle, and with `to` it is a folder of shards.
        kind: Rules of the data set: simsv2, sims, mosi or mosei, or a .yaml file of your own.
        dtype: Number format of the stored features; float32, or as a folder of shards tells, if left out.
        to: Write a store as a folder of Parquet files, which Hugging Face `datasets` reads, or of WebDataset tar
            shards; `imlcmm convert FOLDER STORE` is the way back. Needs the extra `interchange`.
        words: Read the transcripts by the package's own text encoder, in the place of the text features that the file
            brings.
    """
    from imlcmm.datasets.card import data_card
    from imlcmm.datasets.convert import convert as to_store
    from imlcmm.datasets.field.export import export_pickle
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.files import check_folder

    check_folder(out.parent)
    if words:
        from imlcmm.datasets.words import read_words
        from imlcmm.features.text.encoder import TextExtractor

        extractor = TextExtractor()
        show(data_card(load_dataset(read_words(load_dataset(source, kind), out, extractor, extractor.features))))
        return
    if to is not None:
        data = load_dataset(source, kind) if source.is_file() else None
        show(f"{to_store(data.path if data else source, out, to=to)} written")
        return
    if out.suffix in (".pkl", ".pickle"):
        export_pickle(load_dataset(source, kind), out)
        show(f"{out} written")
        return
    show(data_card(load_dataset(to_store(source, out, kind=kind, dtype=dtype))))


def simulate(
    out: Path,
    *,
    size: Literal["demo", "paper"] = "demo",
    seed: int = 0,
    unlabelled: int | None = None,
    as_pickle: bool = False,
) -> None:
    """Write a simulated data set and print its card.

    Args:
        out: Store to write.
        size: A small one, or one of the shape of CH-SIMS v2.
        seed: Seed of everything drawn.
        unlabelled: Clips without labels, if not as many as the size has.
        as_pickle: Whether to write the field's pickle instead of a store.
    """
    from imlcmm.datasets.card import data_card
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.datasets.simulation.simulate import simulate as write
    from imlcmm.files import check_folder

    check_folder(out.parent)
    written = write(out, size=size, seed=seed, unlabelled=unlabelled, as_pickle=as_pickle)
    show(f"{written} written" if as_pickle else data_card(load_dataset(written)))


def extract(
    videos: Path,
    out: Path,
    *,
    extractor: ExtractorOptions,
    labels: Path | None = None,
    kind: str = "simsv2",
    workers: int = 2,
    time_limit: float = 600.0,
    memory_limit: float = 6.0,
    ray: str | None = None,
    allow_failures: bool = False,
) -> None:
    """Extract the features of a folder of clips into a data set; what was finished before a kill is not done again.

    Args:
        videos: Folder of the clips: VIDEO_ID/CLIP_ID.mp4, in it or in its folder Raw.
        out: Store to write.
        labels: Label file with the columns video_id, clip_id, text, label, label_T, label_A, label_V, mode; without it
            all media files are unlabelled clips.
        kind: Rules of the labels: simsv2, sims, mosi or mosei, or a .yaml file of your own.
        extractor: What to extract with.
        workers: Processes.
        time_limit: Seconds that one clip may take.
        memory_limit: GiB of memory that one clip may take.
        ray: Address of a Ray cluster to work on (HOST:PORT, auto, or local), whose machines see the same folders.
        allow_failures: Exit with 0 though clips failed.
    """
    from imlcmm.datasets.card import data_card
    from imlcmm.datasets.extract import extract as run
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.jobs.workers import Limits

    limits = Limits(time_limit, memory_limit)
    done = run(videos, out, labels=labels, kind=kind, options=extractor, workers=workers, limits=limits, ray=ray)
    show(data_card(load_dataset(done.store)))
    show(done.summary)
    if done.failures and not allow_failures:
        raise DataError(f"{done.failures} clips failed; mend them and run again, or accept that with --allow_failures")
