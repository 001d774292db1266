"""The clips whose modalities disagree, apart from those where they agree."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import DataError
from imlcmm.evaluation.evaluate import Evaluation, rate
from imlcmm.files import write_text
from imlcmm.reports.experiments.findings import Findings
from imlcmm.reports.experiments.runs import Setting
from imlcmm.reports.tables.results import name_data

OURS = "IMLCMM"


def disagree(clips: ClipDataset) -> np.ndarray:
    """Mark the clips two of whose unimodal labels lie on different sides of neutral, (clips,) bool."""
    alone = clips.labels[:, 1:].numpy() - clips.spec.neutral
    return np.asarray((np.nan_to_num(alone) < 0).any(1) & (np.nan_to_num(alone) > 0).any(1))


def conflict_findings(
    evaluations: Mapping[str, Evaluation], failures: Mapping[str, str], data: SentimentData, folder: Path
) -> str:
    """Score models on both kinds of clips, compare each with IML-CMM, and write conflict.* and agreement.*.

    Args:
        evaluations: Of each model on the whole test split.
        failures: Why other models have none.
        data: Data set.
        folder: Where to write.

    Returns:
        The Markdown of both.

    Raises:
        DataError: If the data set has no unimodal labels, or all clips are of one kind.
    """
    if not data.spec.unimodal_labels:
        raise DataError(f"{data.path} has no unimodal labels, so that nobody knows which modalities disagree")
    marked = disagree(data.test)
    if marked.all() or not marked.any():
        raise DataError(f"{data.path}: the modalities disagree in {marked.sum()} of {len(marked)} test clips")
    text = []
    for name, keep, kind in (("conflict", marked, "disagree"), ("agreement", ~marked, "agree")):
        found = {model: rate(model, data, "test", e.predictions, keep) for model, e in evaluations.items()}
        settings = [Setting(m, model=m, against=None if m == OURS else OURS) for m in evaluations]
        findings = Findings(name, f"Clips whose modalities {kind}", name_data(data), settings, found, failures)
        findings.write(folder)
        text.append(findings.markdown)
    whole = "\n".join(text)
    write_text(folder / "conflict.md", whole)
    return whole
