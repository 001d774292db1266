"""Commands that show people what a model does, as pages and pictures."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from imlcmm.commands.own_folder import own_folder
from imlcmm.commands.show import show


def report(
    runs: Sequence[Path],
    *,
    data: Path,
    kind: str | None = None,
    split: Literal["test", "valid"] = "test",
    out: Path | None = None,
) -> None:
    """Write a page about runs: scores, calibration, errors, what the model looks at, and how to run it again.

    Args:
        runs: Run folders, or names of runs on the hub, OWNER/NAME.
        data: Store or feature pickle.
        kind: Rules of the data set, for a pickle.
        split: Split to score.
        out: HTML file to write; without it, `report-SPLIT.html` in the first run's folder.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.files import check_folder
    from imlcmm.reports.page.report_page import write_report

    path = out or own_folder(runs[0]) / f"report-{split}.html"
    check_folder(path.parent)
    write_report(list(runs), load_dataset(data, kind), path, split)
    show(f"{path} written, {path.stat().st_size / 1e6:.1f} MB: open it in a browser")


def explain(
    run: Path,
    *,
    data: Path,
    clip: str,
    kind: str | None = None,
    split: Literal["test", "valid", "train"] = "test",
    out: Path | None = None,
) -> None:
    """Explain one clip: each head's prediction, what was looked at, and which features mattered.

    Args:
        run: Run folder, or the name of a run on the hub, OWNER/NAME.
        data: Store or feature pickle.
        clip: Identifier of the clip, VIDEO/CLIP or VIDEO$_$CLIP.
        kind: Rules of the data set, for a pickle.
        split: Split of the clip.
        out: Folder of the page and the pictures, or a .html file; without it, `explanations` in the run's folder.
    """
    from imlcmm.datasets.loading import load_dataset
    from imlcmm.files import check_folder, file_name
    from imlcmm.reports.explanations.explanation import Explainer, find_clip
    from imlcmm.reports.explanations.explanation_table import describe_explanation
    from imlcmm.reports.page.explanation_page import write_explanation
    from imlcmm.training.run import load_run

    if out:
        check_folder(out.parent if out.suffix == ".html" else out)
    opened, dataset = load_run(run), load_dataset(data, kind)
    row = find_clip(dataset, split, clip)
    explainer = Explainer.load(opened, dataset, split)
    explanation = explainer(row)
    folder = out or own_folder(run) / "explanations" / file_name(explanation.clip)
    write_explanation(explainer, explanation, folder)
    show(describe_explanation(explanation))
    show(f"written to {folder}")
