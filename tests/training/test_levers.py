"""What goes beyond a plain training: averaged weights, lost modalities, teachers."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from short_runs import QUIET, SHORT, small

from imlcmm.errors import TrainingError
from imlcmm.models import LF_DNN
from imlcmm.models.inference import predict_split
from imlcmm.training import fit as fit_module
from imlcmm.training.fit import train
from imlcmm.training.modality_dropout import drop_modalities
from imlcmm.training.module import Optimization, TrainingModule
from imlcmm.training.run import load_run
from imlcmm.training.teaching import Teaching
from imlcmm.types import MODALITIES


@pytest.fixture(scope="module")
def teacher(simulated, tmp_path_factory):
    return train(small(simulated), simulated, SHORT, folder=tmp_path_factory.mktemp("teacher"), trainer=QUIET)


class TestAveraging:
    HOW = replace(SHORT, average=0.9)

    def test_the_average_is_that_of_the_weights_after_each_step(self, simulated, tmp_path, monkeypatch):
        first, after = next(name for name, _ in small(simulated).named_parameters()), []
        step = TrainingModule.optimizer_step

        def watched(self, *args, **kwargs):
            step(self, *args, **kwargs)
            after.append(self.model.get_parameter(first).detach().double().clone())

        monkeypatch.setattr(TrainingModule, "optimizer_step", watched)
        run = train(small(simulated), simulated, replace(self.HOW, patience=None), folder=tmp_path, trainer=QUIET)
        expected = after[0]
        for weights in after[1:]:
            expected = 0.9 * expected + 0.1 * weights
        torch.testing.assert_close(run.best.get_parameter(first).double(), expected, atol=1e-6, rtol=1e-4)
        assert not torch.allclose(after[-1], expected, atol=1e-6)

    def test_an_interrupted_run_resumes_to_the_same_bytes(self, simulated, tmp_path, monkeypatch):
        train(small(simulated), simulated, self.HOW, folder=tmp_path / "whole", trainer=QUIET)
        steps, step = iter(range(100)), TrainingModule.training_step

        def interrupted(self, batch, index):
            if next(steps) == 4:
                raise RuntimeError("power cut")
            return step(self, batch, index)

        with monkeypatch.context() as patch:
            patch.setattr(fit_module.TrainingModule, "training_step", interrupted)
            with pytest.raises(RuntimeError, match="power cut"):
                train(small(simulated), simulated, self.HOW, folder=tmp_path / "cut", trainer=QUIET)
        train(small(simulated), simulated, self.HOW, folder=tmp_path / "cut", trainer=QUIET, resume=True)
        for name in ("metrics.json", "history.csv", "best/model.safetensors"):
            whole, cut = (tmp_path / each / "seed-7" / name for each in ("whole", "cut"))
            assert cut.read_bytes() == whole.read_bytes()

    def test_validation_scores_the_average(self, simulated, tmp_path):
        run = train(small(simulated), simulated, self.HOW, folder=tmp_path, trainer=QUIET)
        metrics = json.loads((tmp_path / "seed-7" / "metrics.json").read_text())
        error = np.abs(predict_split(run.best, simulated.valid)["multimodal"] - simulated.valid.labels[:, 0].numpy())
        assert error.mean() == pytest.approx(metrics["valid_mae"], abs=1e-5)


class TestLostModalities:
    def test_each_is_lost_by_chance_and_never_the_last(self, simulated):
        batch = simulated.train.batch(np.tile(np.arange(24), 100))
        before = torch.stack([batch.masks[m].any(1) for m in MODALITIES])
        torch.manual_seed(0)
        dropped = drop_modalities(batch, 0.3)
        after = torch.stack([dropped.masks[m].any(1) for m in MODALITIES])
        assert after.any(0).all()
        assert not (after & ~before).any()
        lost = 1 - after[:, before.all(0)].float().mean().item()
        # .3 of each, less the 2.7 % of clips that would have lost all three and lose none.
        assert lost == pytest.approx(0.3 - 0.3**3, abs=0.02)

    def test_a_clip_of_one_modality_keeps_it(self, simulated):
        batch = simulated.train.batch(range(24))
        alone = batch._replace(
            masks={**batch.masks, "audio": batch.masks["audio"] & False, "vision": batch.masks["vision"] & False}
        )
        after = drop_modalities(alone, 0.9).masks["text"]
        assert torch.equal(after, alone.masks["text"])

    def test_without_a_chance_nothing_is_drawn(self, simulated):
        batch, state = simulated.train.batch(range(4)), torch.get_rng_state()
        assert drop_modalities(batch, 0.0) is batch
        assert torch.equal(torch.get_rng_state(), state)

    def test_training_draws_them(self, simulated, tmp_path, teacher):
        run = train(small(simulated), simulated, replace(SHORT, modality_dropout=0.5), folder=tmp_path, trainer=QUIET)
        assert not run.histories[0]["train_text"].equals(teacher.histories[0]["train_text"])


class TestTeachers:
    def test_labels_move_towards_what_they_say(self, simulated, teacher):
        said = predict_split(teacher.best, simulated.train)
        batch = simulated.train.batch([3, 5, 1])
        taught = Teaching.by([teacher.best], simulated.train, 0.25).of(batch)
        expected = 0.75 * batch.label.numpy() + 0.25 * said["multimodal"][[3, 5, 1]].clip(-1, 1)
        np.testing.assert_allclose(taught.label.numpy(), expected, atol=1e-6)
        audio = 0.75 * batch.unimodal_labels["audio"].numpy() + 0.25 * said["audio"][[3, 5, 1]].clip(-1, 1)
        np.testing.assert_allclose(taught.unimodal_labels["audio"].numpy(), audio, atol=1e-6)

    def test_several_say_their_mean(self, simulated, teacher):
        both = [teacher.best, small(simulated).eval()]
        each = [Teaching.by([model], simulated.train, 1.0).said for model in both]
        torch.testing.assert_close(Teaching.by(both, simulated.train, 1.0).said, (each[0] + each[1]) / 2)

    def test_of_heads_they_lack_they_say_nothing(self, simulated):
        torch.manual_seed(0)
        teaching = Teaching.by([LF_DNN(simulated.spec)], simulated.train, 0.5)
        assert teaching.said[:, 0].isfinite().all()
        assert teaching.said[:, 1:].isnan().all()
        batch = simulated.train.batch(range(6))
        assert torch.equal(teaching.of(batch).unimodal_labels["text"], batch.unimodal_labels["text"])

    def test_unlabelled_clips_stay_without_a_label(self, simulated, teacher):
        batch = simulated.train.batch(range(4))
        blank = torch.full_like(batch.label, torch.nan)
        unknown = batch._replace(
            row=torch.full_like(batch.row, -1), label=blank, unimodal_labels=dict.fromkeys(MODALITIES, blank)
        )
        taught = Teaching.by([teacher.best], simulated.train, 1.0).of(unknown)
        assert taught.label.isnan().all()

    def test_a_run_says_who_taught_it(self, simulated, teacher, tmp_path):
        run = train(
            small(simulated), simulated, SHORT, folder=tmp_path, trainer=QUIET, teachers=teacher, teaching_share=1.0
        )
        told = load_run(tmp_path).description["data"]["teachers"]
        assert told == {"model": "IMLCMM", "seeds": ["seed-7"], "share": 1.0}
        assert not run.histories[0]["train_multimodal"].equals(teacher.histories[0]["train_multimodal"])
        with pytest.raises(TrainingError, match=r"another data: teachers\.share was 1\.0, is 0\.5"):
            train(small(simulated), simulated, SHORT, folder=tmp_path, trainer=QUIET, teachers=teacher, resume=True)

    @pytest.mark.parametrize("share", [0.0, 1.5, float("nan")])
    def test_a_share_that_makes_no_sense_is_refused(self, simulated, teacher, share):
        with pytest.raises(TrainingError, match="give more than 0 and at most 1"):
            Teaching.by([teacher.best], simulated.train, share)

    def test_those_of_other_data_or_of_more_labels_are_refused(self, simulated, teacher, tmp_path):
        file = tmp_path / "run.json"
        told = json.loads((teacher.folder / "run.json").read_text())
        (tmp_path / "seed-7").symlink_to(teacher.folder / "seed-7")
        file.write_text(json.dumps({**told, "data": {**told["data"], "checksum": "other"}}))
        with pytest.raises(TrainingError, match="was trained on another data set"):
            train(small(simulated), simulated, SHORT, folder=tmp_path / "a", trainer=QUIET, teachers=load_run(tmp_path))
        few = simulated.train.sample(0.5)
        with pytest.raises(TrainingError, match="learnt 65 labelled clips"):
            train(
                small(simulated),
                simulated,
                SHORT,
                folder=tmp_path / "b",
                trainer=QUIET,
                teachers=teacher,
                train_clips=few,
            )


@pytest.mark.parametrize(("name", "value"), [("average", 1.0), ("average", -0.1), ("modality_dropout", 1.0)])
def test_what_makes_no_sense_is_refused(name, value):
    with pytest.raises(TrainingError, match=rf"optimization\.{name} is {value}; it must be from 0 to below 1"):
        Optimization(**{name: value})
