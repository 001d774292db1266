"""Recipes: each one loads, builds and trains a step."""

import re
from pathlib import Path

import pytest
import torch

from imlcmm.errors import ModelError, TrainingError
from imlcmm.models import AV_MC, IMLCMM, LF_DNN, find_model, list_models
from imlcmm.training.loaders import training_loader
from imlcmm.training.module import TrainingModule
from imlcmm.training.recipe import BEST, FOLDER, Recipe, build_model, optimization_of, read_recipe, shipped_recipe

KINDS = ("simsv2", "sims", "mosi", "mosei")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", list_models())
def test_each_recipe_trains_a_step(kind, name, simulated):
    recipe = shipped_recipe(kind, list_models()[name])
    assert recipe.model == name
    assert recipe.source
    torch.manual_seed(0)
    model, how = recipe.build(simulated.spec), optimization_of(recipe)
    module = TrainingModule(model, how, lambda *place: training_loader(simulated.train, None, 0, batch_size=8, seed=1))
    optimizer = module.configure_optimizers()["optimizer"]
    batch = simulated.train.batch(range(8))
    model.prepare(simulated.train)
    model.train().on_epoch_start(0)
    for each in model.passes:
        model.begin_pass(each.name)
        loss = sum(model.loss(model(batch), batch).values())
        assert loss.isfinite()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert all(p.isfinite().all() for p in model.parameters())


def test_no_recipe_is_left_over():
    files = {f"{kind}/{m.__module__.rpartition('.')[2]}.yaml" for kind in KINDS for m in list_models().values()}
    files |= {f"{kind}/iml_cmm-{name}.yaml" for kind in KINDS for name in ("best", "started")}
    files |= {"simsv2/av_mc-unlabelled.yaml"}
    tuned = {f"{kind}/{m.__module__.rpartition('.')[2]}-tuned.yaml" for kind in KINDS for m in list_models().values()}
    assert files <= {str(f.relative_to(str(FOLDER))) for f in Path(str(FOLDER)).rglob("*.yaml")} <= files | tuned


def test_tuned_recipes_say_on_what_and_can_be_trained_by(simulated):
    for file in Path(str(FOLDER)).rglob("*-tuned.yaml"):
        recipe = shipped_recipe(file.parent.name, find_model(read_recipe(file).model), name="tuned")
        assert "tuned on the validation split" in recipe.source
        assert re.search(r"the best of \d+ trials$", recipe.source)
        assert recipe.optimization["epochs"] == 40
        recipe.build(simulated.spec)
        optimization_of(recipe)


def test_unlabelled_clips_may_have_a_recipe_of_their_own(simulated):
    model = shipped_recipe("simsv2", AV_MC, unlabelled=True).build(simulated.spec)
    assert [each.name for each in model.passes] == ["with unlabelled", "labelled"]
    assert shipped_recipe("simsv2", LF_DNN, unlabelled=True) == shipped_recipe("simsv2", LF_DNN)


@pytest.mark.parametrize("kind", KINDS)
def test_what_goes_beyond_the_paper_has_a_recipe_of_its_own(kind, simulated):
    recipe = shipped_recipe(kind, IMLCMM, name=BEST)
    assert "beyond the paper" in recipe.source
    assert recipe.build(simulated.spec).head_reads_pooled
    assert not shipped_recipe(kind, IMLCMM).build(simulated.spec).head_reads_pooled
    optimization_of(recipe.for_clips(50))


@pytest.mark.parametrize("kind", KINDS)
def test_a_start_from_other_weights_has_a_recipe_of_its_own(kind):
    ours, started = (shipped_recipe(kind, IMLCMM, started=each).for_clips(50).optimization for each in (False, True))
    assert started["lr"] < ours["lr"]
    assert {**started, "lr": ours["lr"]} == {**ours, "average": 0.99}
    assert shipped_recipe(kind, LF_DNN, started=True) == shipped_recipe(kind, LF_DNN)


def test_a_model_that_says_nothing_of_what_is_wrong_is_told_by_the_kind_of_error(simulated):
    class Broken(LF_DNN):
        def __init__(self, spec):
            raise ValueError

    with pytest.raises(ModelError, match="Broken cannot be built: ValueError; check"):
        build_model(Broken, simulated.spec, {})


def test_a_recipe_that_there_is_not_is_named():
    with pytest.raises(TrainingError, match="there is no recipe 'best' of LF_DNN for simsv2; give auto, none or"):
        shipped_recipe("simsv2", LF_DNN, name=BEST)


def test_few_clips_take_more_steps():
    recipe = shipped_recipe("simsv2", IMLCMM)
    assert optimization_of(recipe.for_clips(300)).batch_size == 8
    assert optimization_of(recipe.for_clips(301)).batch_size == 32
    assert recipe.for_clips(50).for_clips(5000) == recipe.for_clips(50)
    assert shipped_recipe("simsv2", LF_DNN).for_clips(50) == shipped_recipe("simsv2", LF_DNN)


@pytest.mark.parametrize("kind", KINDS)
def test_what_holds_for_few_clips_makes_sense(kind):
    for model in list_models().values():
        optimization_of(shipped_recipe(kind, model).for_clips(50))


def test_a_recipe_is_written_and_read(tmp_path, simulated):
    recipe = Recipe("TFN", "a test", {"fusion_hidden": 5, "encoders": {"text_out": 3}}, {"lr": 0.1})
    recipe.write(tmp_path / "x.yaml")
    assert read_recipe(tmp_path / "x.yaml") == recipe
    model = recipe.build(simulated.spec)
    assert model.fusion.product.in_features == 4 * 33 * 129
    assert optimization_of(recipe, epochs=3).epochs == 3


@pytest.mark.parametrize("text", ["model: [", "- 1", "model: TFN\nwhat: 1"])
def test_what_is_no_recipe_is_refused(text, tmp_path):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(TrainingError, match=r"x\.yaml is not a recipe"):
        read_recipe(tmp_path / "x.yaml")


def test_unknown_options_are_named(simulated):
    with pytest.raises(ModelError, match="TFN has no option 'depth'"):
        Recipe("TFN", options={"depth": 1}).build(simulated.spec)
    with pytest.raises(ModelError, match="TFN cannot be built"):
        Recipe("TFN", options={"encoders": {"depth": 1}}).build(simulated.spec)
