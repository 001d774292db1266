"""Beginning with the weights of a trained model: what fits is taken, what does not stays as it was drawn."""

import logging
from dataclasses import replace

import pytest
import torch
from short_runs import QUIET, SMALL

from imlcmm.commands.train import train_from_words
from imlcmm.errors import TrainingError
from imlcmm.models import IMLCMM, LF_DNN
from imlcmm.training.fit import train
from imlcmm.training.module import Optimization
from imlcmm.training.run import load_run
from imlcmm.training.start import chosen_options, start_from


def built(spec, seed, **options):
    torch.manual_seed(seed)
    return IMLCMM(spec, **{**SMALL, **options})


def same(first, second, part):
    mine, theirs = first.state_dict(), second.state_dict()
    drawn = [n for n in mine if part in n.split(".") and mine[n].ndim > 1 and mine[n].shape == theirs[n].shape]
    return [torch.equal(mine[n], theirs[n]) for n in drawn]


def test_all_is_taken_of_a_model_like_it(simulated):
    model, trained = built(simulated.spec, 1), built(simulated.spec, 2)
    taken, there = start_from(model, trained)
    assert taken == there
    assert all(
        torch.equal(a, b) for a, b in zip(model.state_dict().values(), trained.state_dict().values(), strict=True)
    )


def test_a_modality_of_other_features_begins_anew(simulated):
    spec = simulated.spec
    other = replace(spec, features={**spec.features, "audio": "another-16"})
    model, trained = built(other, 1), built(spec, 2)
    taken, there = start_from(model, trained)
    assert 0 < taken < there
    assert all(same(model, trained, "text"))
    assert not any(same(model, trained, "audio"))


def test_a_modality_that_was_never_learnt_is_not_taken(simulated):
    spec = replace(simulated.spec, steps={**simulated.spec.steps, "vision": 0})
    model, trained = built(simulated.spec, 1), built(spec, 2)
    start_from(model, trained)
    assert not any(same(model, trained, "vision"))


def test_shapes_that_differ_stay_and_positions_are_shared(simulated):
    spec = simulated.spec
    longer = replace(spec, steps={**spec.steps, "text": spec.steps["text"] + 5})
    model, trained = built(spec, 1, head_reads_pooled=True), built(longer, 2)
    head = model.multimodal_head.state_dict()
    start_from(model, trained)
    mine, theirs = (m.extractors["text"].frame_positions for m in (model, trained))
    assert torch.equal(mine, theirs[: len(mine)])
    assert any(torch.equal(head[n], w) for n, w in model.multimodal_head.state_dict().items() if w.ndim > 1)


def test_another_class_is_refused(simulated):
    with pytest.raises(TrainingError, match="of class LF_DNN; train LF_DNN, not IMLCMM"):
        start_from(built(simulated.spec, 1), LF_DNN(simulated.spec))


def test_what_was_chosen_differs_from_the_defaults(simulated):
    assert chosen_options(built(simulated.spec, 1, dropout=0.3)) == SMALL


@pytest.mark.parametrize("recipe", ["auto", "none"])
def test_a_run_begins_where_another_ended(recipe, simulated_folder, simulated, tmp_path, caplog):
    train(built(simulated.spec, 1), simulated, Optimization(epochs=1), folder=tmp_path / "a", trainer=QUIET)
    words = ["--model", "IMLCMM", "--data", str(simulated_folder), "--folder", str(tmp_path / "b")]
    words += ["--start", str(tmp_path / "a"), "--optimization.epochs=1", "--optimization.lr=1e-9"]
    words += ["--optimization.average=0", "--recipe", recipe]
    with caplog.at_level(logging.INFO):
        train_from_words(words)
    assert "weights are those of the model to start from" in caplog.text
    before, after = (load_run(tmp_path / name) for name in "ab")
    assert after.description["model"]["options"]["width"] == 16
    assert after.description["model"]["start"] == {"kind": "simsv2", "train_clips": len(simulated.train)}
    for a, b in zip(before.best.parameters(), after.best.parameters(), strict=True):
        torch.testing.assert_close(a, b, atol=1e-5, rtol=0)
