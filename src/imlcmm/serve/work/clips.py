"""From labelled utterances to a data set: their excerpts and label file in the field's layout, then their features."""

from itertools import groupby

from imlcmm.datasets.extract import extract
from imlcmm.datasets.labels.label_export import label_csv
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.features.media.excerpt import write_excerpt
from imlcmm.features.media.recording import Recording
from imlcmm.files import write_text
from imlcmm.jobs.workers import Tell
from imlcmm.serve.work.handover import say
from imlcmm.serve.work.tasks import DatasetTask

_CUTTING = 0.3
"""Share of the work after which the excerpts are cut, roughly."""


def make_dataset(task: DatasetTask, options: ExtractorOptions, tell: Tell) -> None:
    """Cut the clips, write label.csv, and extract; excerpts that are there stay."""
    done = 0
    for media, clips in groupby(task.clips, lambda clip: clip.media):
        with Recording(media, limits=options.limits) as recording:
            for clip in clips:
                excerpt = task.folder / "Raw" / clip.row.video / f"{clip.row.clip}.mp4"
                excerpt.parent.mkdir(parents=True, exist_ok=True)
                if not excerpt.exists():
                    write_excerpt(recording, excerpt, clip.start, clip.end)
                done += 1
                tell(_CUTTING * done / len(task.clips))
    labels = task.folder / "label.csv"
    write_text(labels, label_csv(clip.row for clip in task.clips))
    extraction = extract(
        task.folder, task.data, labels=labels, kind=task.kind, options=options, workers=0, progress=False,
        told=lambda share: tell(_CUTTING + (1 - _CUTTING) * share),
    )  # fmt: skip
    say(task.out, "dataset", summary=extraction.summary)
