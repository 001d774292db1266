"""The labelled utterances of a workspace as clips of a data set."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
from sqlalchemy import select
from sqlalchemy.orm import Session, selectinload

from imlcmm.datasets.labels.label_export import LabelledRow
from imlcmm.files import file_name
from imlcmm.serve.state.tables import Recording, SpokenUtterance
from imlcmm.serve.state.workspace import Workspace
from imlcmm.serve.work.tasks import LabelledClip
from imlcmm.types import TARGETS

SHARES = {"train": 0.7, "valid": 0.15, "test": 0.15}


def labelled_clips(session: Session, workspace: Workspace) -> list[LabelledClip]:
    """List the utterances that have a multimodal label; each label is the mean over its raters.

    Splits hold whole recordings where there are enough, so that no test clip is of a speaker whom training has heard;
    with fewer than ten recordings each one's last utterances are kept aside instead.
    """
    query = select(Recording).options(selectinload(Recording.utterances).selectinload(SpokenUtterance.labels))
    recordings = session.scalars(query.order_by(Recording.id)).all()
    found = [
        (recording, place, utterance, labels)
        for recording in recordings
        for place, utterance in enumerate(recording.utterances)
        if "multimodal" in (labels := mean_labels(utterance))
    ]
    names = _own_names(recordings)
    splits = splits_of([recording.id for recording, *_ in found])
    return [
        LabelledClip(
            workspace.media(recording.key, recording.suffix),
            utterance.start,
            utterance.end,
            LabelledRow(names[recording.id], f"{place + 1:04d}", utterance.transcript, labels, split),
        )
        for (recording, place, utterance, labels), split in zip(found, splits, strict=True)
    ]


def mean_labels(utterance: SpokenUtterance) -> dict[str, float]:
    """Average an utterance's labels over the raters, by target."""
    by_target = {target: [one.value for one in utterance.labels if one.target == target] for target in TARGETS}
    return {target: round(float(np.mean(values)), 4) for target, values in by_target.items() if values}


def splits_of(recordings: Sequence[int]) -> list[str]:
    """Give the split of each clip, in order, by the number of its recording.

    The order in which recordings are dealt out is drawn with a fixed seed, so that more labels move few of them.
    """
    counts = Counter(recordings)
    if len(counts) < 10:
        return _splits_within(recordings, counts)
    split_of: dict[int, str] = {}
    taken = dict.fromkeys(SHARES, 0)
    for recording in sorted(counts, key=lambda one: np.random.default_rng(one).random()):
        split = min(SHARES, key=lambda name: (taken[name] + counts[recording] / 2) / SHARES[name])
        split_of[recording] = split
        taken[split] += counts[recording]
    return [split_of[recording] for recording in recordings]


def _splits_within(recordings: Sequence[int], counts: Counter[int]) -> list[str]:
    seen: Counter[int] = Counter()
    splits = []
    for recording in recordings:
        share = (seen[recording] + 0.5) / counts[recording]
        seen[recording] += 1
        splits.append("train" if share < 0.7 else "valid" if share < 0.85 else "test")
    return splits


def _own_names(recordings: Sequence[Recording]) -> dict[int, str]:
    """Name each recording by its file's stem, with its number where two have the same."""
    stems = {recording.id: file_name(PurePath(recording.name).stem) for recording in recordings}
    twice = {name for name, count in Counter(stems.values()).items() if count > 1}
    return {number: f"{stem}_{number}" if stem in twice else stem for number, stem in stems.items()}
