"""A modality that a model only averages is loaded as one step, its mean."""

import numpy as np
import torch

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.models import LF_DNN
from imlcmm.models.inference import heads_of
from imlcmm.types import Clip

WIDTHS = {"text": 2, "audio": 3, "vision": 2}


def test_the_step_is_the_mean_of_the_real_frames(simulated):
    rows = [3, 0, 7]
    whole, averaged = simulated.train.batch(rows), simulated.train.averaging(("audio",)).batch(rows)
    frames, mask = whole.audio, whole.masks["audio"]
    means = torch.stack([f[real].double().mean(0).float() for f, real in zip(frames, mask, strict=True)])
    torch.testing.assert_close(averaged.audio[:, 0], means)
    assert averaged.audio.shape[1] == 1
    assert torch.equal(averaged.vision, whole.vision)
    assert torch.equal(averaged.label, whole.label)


def test_frames_that_are_no_numbers_do_not_count_and_none_leaves_the_step_out(tmp_path):
    heard = np.array([[1, 2, 3], [np.nan] * 3, [3, 4, 5]], "float32")
    text, seen = np.ones((2, 2), "float32"), np.ones((2, 2), "float32")
    with StoreWriter(tmp_path / "store", kind="simsv2", widths=WIDTHS) as writer:
        for number, audio in enumerate((heard, heard[:0])):
            sequences = {"text": text, "audio": audio, "vision": seen}
            writer.add("train", Clip(f"v$_${number}", "hm", sequences, {"multimodal": 0.2}))
    batch = load_dataset(tmp_path / "store").train.averaging(("audio",)).batch([0, 1])
    assert batch.audio[:, 0].tolist() == [[2, 3, 4], [0, 0, 0]]
    assert batch.masks["audio"].tolist() == [[True], [False]]


def test_views_of_the_view_average_too(simulated):
    view = simulated.train.averaging(("audio", "vision"))
    assert torch.equal(view.subset([5, 2]).batch([1]).vision, view.batch([2]).vision)


def test_models_that_only_average_say_the_same(simulated):
    torch.manual_seed(0)
    model = LF_DNN(simulated.spec)
    model.prepare(simulated.train)
    model.eval()
    rows = list(range(10))
    with torch.no_grad():
        batches = (simulated.train.batch(rows), simulated.train.averaging(model.averages).batch(rows))
        whole, averaged = (heads_of(model(batch))["multimodal"] for batch in batches)
    torch.testing.assert_close(averaged, whole)
