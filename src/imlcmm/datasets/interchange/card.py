"""The card of a folder: what libraries and pages read at its beginning, and what people read below."""

from pathlib import Path
from typing import Any

from imlcmm.datasets.card import data_card
from imlcmm.datasets.interchange.names import Form
from imlcmm.datasets.interchange.packages import package
from imlcmm.datasets.interchange.parquet_out import parquet_features
from imlcmm.datasets.stores.sentiment_data import SentimentData

_COLUMNS = """
## Columns

`id` (`video$_$clip`), `transcript`, features of `text`, `audio` and `vision` as a list of frames, `*_valid` (false
where a frame was not measured: it is all zero), `tokens` (id, mask, segment of each text step), `pieces` (how a text
step is written), `label` and, of each modality alone, `label_T`, `label_A`, `label_V`, and `class`, which follows from
`label`. What a clip has not is null, or not there. `imlcmm.json` holds what the way back needs: `imlcmm convert FOLDER
STORE`.
"""


def write_card(data: SentimentData, folder: Path, form: Form, files: dict[str, list[str]]) -> None:
    """Write README.md: the features and files in its head, the data card below.

    Args:
        data: The data set.
        folder: Where the files lie.
        form: What they are.
        files: Names of the files of each split.
    """
    hub = package("huggingface_hub")
    head = hub.DatasetCardData(pretty_name=f"{data.rules.title}: {data.path.name}", tags=["imlcmm", form])
    if form == "parquet":
        _describe(data, folder, files, head)
    pattern = {split: f"data/{split}-*" if form == "parquet" else f"{split}-*.tar" for split in files}
    head["configs"] = [
        {"config_name": "default", "data_files": [{"split": split, "path": path} for split, path in pattern.items()]}
    ]
    text = f"---\n{head.to_yaml()}\n---\n\n{data_card(data)}\n{_COLUMNS}"
    (folder / "README.md").write_text(text, encoding="utf-8")


def _describe(data: SentimentData, folder: Path, files: dict[str, list[str]], head: Any) -> None:
    """Put the features, splits and sizes into the head, as `datasets` writes them itself."""
    info = package("datasets.info")
    sizes = {split: sum((folder / name).stat().st_size for name in names) for split, names in files.items()}
    splits = [{"name": s, "num_bytes": sizes[s], "num_examples": len(data.splits[s])} for s in files]
    total = sum(sizes.values())
    told = info.DatasetInfo(features=parquet_features(data), splits=splits, download_size=total, dataset_size=total)
    info.DatasetInfosDict({"default": told}).to_dataset_card_data(head)
