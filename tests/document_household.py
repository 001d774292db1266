"""The files that the documents speak of, small: pickles, a store, a run and recordings."""

import shutil
from pathlib import Path

import numpy as np
from field_files import field_file, field_split

from clips import Picture, Sound, make_clip, numbered_frames
from imlcmm.datasets.field.export import export_pickle
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.models import IMLCMM
from imlcmm.training.fit import TrainerOptions, train
from imlcmm.training.module import Optimization

SAID = ("这家店很好，我很喜欢。", "服务太差了，我不会再来。")


def furnish(folder: Path, data: SentimentData, store: Path) -> Path:
    """Put everything into a folder."""
    (folder / "data").mkdir()
    export_pickle(data, folder / "ch-simsv2s.pkl")
    shutil.copytree(store, folder / "data" / "simsv2")
    train(
        IMLCMM(data.spec, width=16), data, Optimization(epochs=1), folder=folder / "runs" / "IMLCMM",
        trainer=TrainerOptions(progress=False),
    )  # fmt: skip
    _survey(folder / "survey.pkl")
    _recordings(folder)
    return folder


def _survey(path: Path) -> None:
    """Write a pickle with two labels of its own: satisfaction from 1 to 5, arousal from 0 to 1."""
    draw = np.random.default_rng(0)
    content = {}
    for name, clips in (("train", 40), ("valid", 24), ("test", 24)):
        split = {key: value for key, value in field_split(name, clips).items() if not key.startswith("regression")}
        content[name] = split | {"satisfaction": draw.uniform(1, 5, clips), "arousal": draw.uniform(0, 1, clips)}
    field_file(path, content)


def _recordings(folder: Path) -> None:
    """Write a recording alone, and others with subtitles beside them."""
    noise = 0.1 * np.random.default_rng(0).normal(size=32_000).astype(np.float32)
    subtitles = "".join(
        f"{number + 1}\n00:00:0{number},000 --> 00:00:0{number + 1},000\n{text}\n\n" for number, text in enumerate(SAID)
    )
    make_clip(folder / "talk.mp4", Picture(numbered_frames(10), rate=5.0), Sound(noise))
    (folder / "talks").mkdir()
    for name in ("clip.mp4", "talks/monday.mp4", "talks/tuesday.mp4"):
        shutil.copy(folder / "talk.mp4", folder / name)
        (folder / name).with_suffix(".srt").write_text(subtitles, encoding="utf-8")
