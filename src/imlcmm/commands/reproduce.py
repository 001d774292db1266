"""The command that repeats the paper's experiments."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from imlcmm.commands.show import show

Experiment = Literal[
    "table1", "table2", "table3", "table4", "table5", "figure4", "figure5", "figure6",
    "robustness", "label-efficiency", "conflict", "few-clips", "levers",
]  # fmt: skip


def reproduce(
    experiments: Sequence[Experiment],
    *,
    data: Path,
    models: Sequence[str] = (),
    more: Sequence[str] = (),
    kind: str | None = None,
    seeds: int = 5,
    jobs: int = 1,
    ray: str | None = None,
    draws: int = 100,
    unlabelled: Path | None = None,
    folder: Path = Path("reproduced"),
) -> None:
    """Repeat the paper's tables and figures on your data, beside its numbers; what is finished stays.

    After -- come options of `train`, such as --optimization.epochs=12.

    Args:
        experiments: table1 to table5 and figure4 to figure6 are the paper's; robustness, label-efficiency, few-clips,
            conflict and levers go beyond it. levers scores validation alone.
        data: Store or feature pickle.
        models: Models of table2, robustness and conflict; all of them by default.
        more: Options of `imlcmm train` for every model.
        kind: Rules of the data set, for a pickle.
        seeds: Seeds a setting; figure6 takes one.
        jobs: Settings trained at a time.
        ray: Address of a Ray cluster to train on (HOST:PORT, auto, or local), whose machines see the same folders; each
            setting takes one of its processors.
        draws: Random weightings of figure6.
        unlabelled: Data set with unlabelled clips, if not `data` itself.
        folder: Folder of the runs and the results.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.files import check_folder
    from imlcmm.models import list_models, named_model
    from imlcmm.models.card import call_name
    from imlcmm.reports.experiments.laboratory import Laboratory
    from imlcmm.reports.experiments.reproduce import EXPERIMENTS

    check_folder(folder)
    names = [call_name(named_model(name)) for name in models or list_models()]
    lab = Laboratory(load_dataset(data, kind), folder, names, seeds, jobs, draws, list(more), unlabelled, ray)
    for name in experiments:
        began = time.monotonic()
        show(EXPERIMENTS[name](lab))
        show(f"written to {folder}: {name}.md, .csv, .tex and .png; {(time.monotonic() - began) / 60:.1f} minutes\n")
