"""Opening a data set by its path, whatever it is stored as."""

from pathlib import Path

from imlcmm.datasets.catalog import Kind
from imlcmm.datasets.convert import converted_store
from imlcmm.datasets.kind_file import find_kind
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError


def load_dataset(path: Path | str, kind: str | Path | Kind | None = None) -> SentimentData:
    """Open a data set.

    Args:
        path: A store folder, or a pickle in the field's layout, which is converted once into `<stem>.store` beside
            it and read from there as long as the pickle's size and time of change stay the same.
        kind: The catalogue's name of the data set, or a YAML file of rules; needed for a pickle, checked for a store.

    Raises:
        DataError: If the file is missing, damaged or refused, or of another kind.
    """
    path = Path(path)
    rules = None if kind is None else find_kind(kind)
    if path.is_file():
        path = converted_store(path, rules)
    elif not path.exists():
        raise DataError(f"{path} does not exist; give a store folder or a .pkl file")
    data = SentimentData(path)
    if rules is not None and data.rules != rules:
        raise DataError(f"{path} is of kind {data.spec.kind}, not {kind}; leave the kind out or convert the data again")
    return data
