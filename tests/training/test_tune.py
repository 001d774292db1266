"""Tuning: on validation alone, resumable, ending in a recipe."""

import pytest

from imlcmm.errors import TrainingError
from imlcmm.models import LF_DNN
from imlcmm.training.fit import TrainerOptions
from imlcmm.training.recipe import Recipe, shipped_recipe
from imlcmm.training.run import load_run
from imlcmm.training.tune import tune, value_of, with_values

QUIET = TrainerOptions(accelerator="cpu", progress=False)
START = shipped_recipe("simsv2", LF_DNN)


def search(data, folder, trials):
    return tune(LF_DNN, data, START, folder=folder, trials=trials, fixed={"epochs": 1}, trainer=QUIET)


def test_the_best_on_validation_becomes_a_recipe(simulated, tmp_path):
    found = search(simulated, tmp_path, 2)
    runs = [load_run(tmp_path / f"trial-{i}") for i in range(2)]
    errors = [run.scores["mean"]["valid_mae"] for run in runs]
    best = runs[errors.index(min(errors))].description
    assert value_of(found, "options.encoders.text_out") == best["model"]["options"]["encoders"]["text_out"]
    assert found.optimization["lr"] == best["optimization"]["lr"]
    assert "2 trials" in found.source
    assert "simulated" in found.source
    assert runs[0].description["optimization"]["lr"] == START.optimization["lr"]

    stamp = (tmp_path / "trial-1" / "run.json").stat().st_mtime_ns
    assert "3 trials" in search(simulated, tmp_path, 3).source
    assert (tmp_path / "trial-1" / "run.json").stat().st_mtime_ns == stamp
    assert search(simulated, tmp_path, 3) == search(simulated, tmp_path, 3)


def test_values_have_paths():
    recipe = with_values(Recipe("TFN"), {"options.encoders.text_out": 3, "optimization.lr": 0.1})
    assert recipe == Recipe("TFN", "", {"encoders": {"text_out": 3}}, {"lr": 0.1})
    assert value_of(recipe, "options.encoders.audio_hidden") is None


def test_selection_needs_a_patience(simulated, tmp_path):
    with pytest.raises(TrainingError, match="needs a patience"):
        tune(LF_DNN, simulated, START, folder=tmp_path, fixed={"patience": None})
    with pytest.raises(TrainingError, match="0 trials"):
        tune(LF_DNN, simulated, START, folder=tmp_path, trials=0)
