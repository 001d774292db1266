"""Tuning: on validation alone, resumable, ending in a recipe."""

from dataclasses import asdict

import pytest
from short_runs import QUIET

from imlcmm.errors import ImlcmmError, TrainingError
from imlcmm.models import LF_DNN, TFN
from imlcmm.models.lf_dnn import SIZES
from imlcmm.training import tune as tuning
from imlcmm.training.module import Optimization
from imlcmm.training.recipe import Recipe, optimization_of, shipped_recipe
from imlcmm.training.run import load_run
from imlcmm.training.tune import is_behind, tune, value_of, with_values

START = shipped_recipe("simsv2", LF_DNN)


def search(data, folder, trials, **options):
    return tune(LF_DNN, data, START, folder=folder, trials=trials, fixed={"epochs": 1}, trainer=QUIET, **options)


def test_the_best_on_validation_becomes_a_recipe(simulated, tmp_path):
    found = search(simulated, tmp_path, 2)
    runs = [load_run(tmp_path / f"trial-{i}") for i in range(2)]
    errors = [run.scores["mean"]["valid_mae"] for run in runs]
    best = runs[errors.index(min(errors))].description
    assert value_of(found, "options.encoders.text_out", LF_DNN) == best["model"]["options"]["encoders"]["text_out"]
    assert found.optimization["lr"] == best["optimization"]["lr"]
    assert found.optimization["epochs"] == 1
    assert "2 trials" in found.source
    assert "simulated" in found.source
    assert runs[0].description["optimization"]["lr"] == START.optimization["lr"]

    stamp = (tmp_path / "trial-1" / "run.json").stat().st_mtime_ns
    assert "3 trials" in search(simulated, tmp_path, 3).source
    assert (tmp_path / "trial-1" / "run.json").stat().st_mtime_ns == stamp
    assert search(simulated, tmp_path, 3) == search(simulated, tmp_path, 3)


def test_the_recipe_comes_first_as_it_is(simulated, tmp_path):
    """Though the search may not try its weight decay of zero, and it leaves the model's options to their defaults."""
    found = search(simulated, tmp_path, 1)
    tried = load_run(tmp_path / "trial-0").description
    assert tried["optimization"] | {"seed": 1111} == asdict(optimization_of(START, epochs=1))
    assert tried["model"]["options"]["encoders"] == asdict(SIZES)
    assert (found.options, found.optimization) == (START.options, {**START.optimization, "epochs": 1})
    (trial,) = tuning.open_study(tmp_path / "study.db", f"LF_DNN on {simulated.checksum}").trials
    assert trial.params["options.encoders.text_hidden"] == SIZES.text_hidden
    assert trial.params["optimization.weight_decay"] == tuning.OPTIMIZATION_SEARCH["weight_decay"].low


def test_a_search_that_was_killed_in_the_recipe_begins_with_it_again(simulated, tmp_path):
    search(simulated, tmp_path / "whole", 1)
    name = f"LF_DNN on {simulated.checksum}"
    study = tuning.open_study(tmp_path / "study.db", name)
    study.enqueue_trial({}, user_attrs={"recipe": True})
    study.ask()
    assert search(simulated, tmp_path, 1).optimization == {**START.optimization, "epochs": 1}
    tried = load_run(tmp_path / "trial-1").description
    assert tried["optimization"] == load_run(tmp_path / "whole" / "trial-0").description["optimization"]


def test_a_trial_that_is_behind_ends_early_and_counts(simulated, tmp_path, monkeypatch):
    def run(trials):
        return tune(LF_DNN, simulated, START, folder=tmp_path, trials=trials, fixed={"epochs": 4}, trainer=QUIET)

    run(tuning.RIVALS)
    asked = []
    monkeypatch.setattr(tuning, "is_behind", lambda curve, rivals, epochs: asked.append((len(curve), rivals)) or True)
    assert f"{tuning.RIVALS + 2} trials" in run(tuning.RIVALS + 2).source
    assert [epochs for epochs, _ in asked] == [1, 1]
    history = load_run(tmp_path / "trial-0").histories[0]["valid_mae"]
    assert asked[0][1][0] == pytest.approx(history.cummin().tolist())
    assert not (tmp_path / f"trial-{tuning.RIVALS}" / "metrics.json").exists()


def test_no_trial_begins_once_the_minutes_are_spent(simulated, tmp_path):
    assert search(simulated, tmp_path, 3, minutes=0.0001).source.split(", ")[1] == "the best of 1 trial"
    assert "the best of 3 trials" in search(simulated, tmp_path, 3, minutes=60.0).source


def test_behind_is_above_the_median_after_a_head_start():
    rivals = [[0.5, 0.4], [0.6, 0.3], [0.7, 0.2, 0.1], [0.8, 0.1], [0.9]]
    assert not is_behind([0.7], rivals, 4)
    assert is_behind([0.71], rivals, 4)
    assert not is_behind([0.71], rivals, 5)  # a quarter of five epochs is more than one
    assert is_behind([0.71, 0.31, 0.31], rivals, 4)
    assert not is_behind([0.71, 0.3, 0.3], rivals, 4)
    assert not is_behind([0.99], rivals[1:], 4)


@pytest.mark.slow
def test_a_cluster_searches_as_processes_here(simulated, tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    found = [search(simulated, tmp_path / str(ray), 3, jobs=2, ray=ray) for ray in (None, "local")]
    assert found[0] == found[1]
    scores = [sorted(p.read_bytes() for p in tmp_path.glob(f"{ray}/*/seed-*/metrics.json")) for ray in (None, "local")]
    assert len(scores[0]) == 3
    assert scores[0] == scores[1]


def test_a_trial_that_fails_is_told_and_the_others_count(simulated, tmp_path, monkeypatch, capsys):
    whole = tuning.train_seeds

    def failing(*arguments, folder, **options):
        if folder.name == "trial-0":
            raise TrainingError("no luck")
        return whole(*arguments, folder=folder, **options)

    monkeypatch.setattr(tuning, "train_seeds", failing)
    assert "the best of 1 trial" in search(simulated, tmp_path, 2).source
    assert "trial 0 failed: no luck" in capsys.readouterr().err


def test_an_address_without_a_cluster_is_one_line(simulated, tmp_path):
    pytest.importorskip("ray", reason="needs the extra 'ray'")
    with pytest.raises(ImlcmmError, match=r"the Ray cluster at 127\.0\.0\.1:1 cannot be reached: .*refused"):
        search(simulated, tmp_path, 1, ray="127.0.0.1:1")


def test_values_have_paths():
    recipe = with_values(Recipe("TFN"), {"options.encoders.text_out": 3, "optimization.lr": 0.1})
    assert recipe == Recipe("TFN", "", {"encoders": {"text_out": 3}}, {"lr": 0.1})
    assert value_of(recipe, "options.encoders.text_out", TFN) == 3
    assert value_of(recipe, "options.encoders.audio_hidden", TFN) == 32
    assert value_of(recipe, "options.fusion_hidden", TFN) == 32
    assert value_of(recipe, "optimization.batch_size", TFN) == Optimization().batch_size


def test_the_nearest_value_lies_in_the_space():
    space = tuning.OPTIMIZATION_SEARCH
    assert tuning.nearest(0.0, space["weight_decay"]) == 1e-6
    assert tuning.nearest(0.01, space["weight_decay"]) == 0.01
    assert tuning.nearest(32, space["batch_size"]) == 32
    assert tuning.nearest(8, space["batch_size"]) == 16


def test_selection_needs_a_patience(simulated, tmp_path):
    with pytest.raises(TrainingError, match="needs a patience"):
        tune(LF_DNN, simulated, START, folder=tmp_path, fixed={"patience": None})
    with pytest.raises(TrainingError, match="0 trials"):
        tune(LF_DNN, simulated, START, folder=tmp_path, trials=0)
