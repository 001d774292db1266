"""Stage 2 of 8: data sets, from the field's files and from the simulator, in one store that training reads."""

from imlcmm.datasets.card import data_card
from imlcmm.datasets.catalog import KINDS, Kind
from imlcmm.datasets.convert import convert
from imlcmm.datasets.field.export import export_pickle
from imlcmm.datasets.kind_file import find_kind as kind
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.manifest import read_manifest
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.datasets.stores.store import StoreWriter, verify

__all__ = [
    "KINDS",
    "ClipDataset",
    "Kind",
    "SentimentData",
    "StoreWriter",
    "convert",
    "data_card",
    "export_pickle",
    "kind",
    "load_dataset",
    "read_manifest",
    "verify",
]
