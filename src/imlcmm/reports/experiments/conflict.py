"""The clips whose modalities disagree, apart from those where they agree."""

import numpy as np

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.errors import DataError
from imlcmm.evaluation.evaluate import rate
from imlcmm.files import write_text
from imlcmm.reports.experiments.findings import Findings
from imlcmm.reports.experiments.laboratory import Laboratory
from imlcmm.reports.experiments.runs import Setting
from imlcmm.reports.experiments.settings import models
from imlcmm.reports.tables.results import name_data

OURS = "IMLCMM"


def disagree(clips: ClipDataset) -> np.ndarray:
    """Mark the clips two of whose unimodal labels lie on different sides of neutral, (clips,) bool."""
    alone = clips.labels[:, 1:].numpy() - clips.spec.neutral
    return np.asarray((np.nan_to_num(alone) < 0).any(1) & (np.nan_to_num(alone) > 0).any(1))


def conflict(lab: Laboratory) -> str:
    """Score the models on both kinds of clips, compare each with IML-CMM, and write conflict.* and agreement.*.

    Returns:
        The Markdown of both.

    Raises:
        DataError: If the data set has no unimodal labels, or all clips are of one kind.
    """
    data = lab.data
    if not data.spec.unimodal_labels:
        raise DataError(f"{data.path} has no unimodal labels, so that nobody knows which modalities disagree")
    marked = disagree(data.test)
    if marked.all() or not marked.any():
        raise DataError(f"{data.path}: the modalities disagree in {marked.sum()} of {len(marked)} test clips")
    settings = models(lab.models)
    failures = lab.train(settings)
    evaluations = lab.evaluate(settings, failures)
    text = []
    for name, keep, kind in (("conflict", marked, "disagree"), ("agreement", ~marked, "agree")):
        found = {model: rate(model, data, "test", e.predictions, keep) for model, e in evaluations.items()}
        against = [Setting(m, model=m, against=None if m == OURS else OURS) for m in evaluations]
        findings = Findings(name, f"Clips whose modalities {kind}", name_data(data), against, found, failures)
        findings.write(lab.folder)
        text.append(findings.markdown)
    whole = "\n".join(text)
    write_text(lab.folder / "conflict.md", whole)
    return whole
