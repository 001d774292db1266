"""A run folder that somebody sent, and a training that goes on from one."""

import json
import sqlite3

import pytest
import torch

from imlcmm import Optimization, TrainerOptions, evaluate_runs, load_run, train
from imlcmm.cli import main
from imlcmm.errors import ImlcmmError, ModelError, TrainingError
from imlcmm.models import LF_DNN
from imlcmm.reports.page.report_page import write_report
from imlcmm.training.recipe import Recipe
from imlcmm.training.tune import tune

HOW = Optimization(epochs=2, batch_size=32)
QUIET = TrainerOptions(progress=False, accelerator="cpu", devices=1)


@pytest.fixture
def folder(simulated, tmp_path):
    torch.manual_seed(1)
    return train(LF_DNN(simulated.spec), simulated, HOW, folder=tmp_path / "run", trainer=QUIET).folder


def describe(folder, part, **values):
    found = json.loads((folder / "run.json").read_text())
    found[part] = {**found[part], **values} if isinstance(found.get(part), dict) else values
    (folder / "run.json").write_text(json.dumps(found))


def link_best(folder):
    (folder / "seed-1111" / "best").rename(folder.parent / "elsewhere")
    (folder / "seed-1111" / "best").symlink_to(folder.parent / "elsewhere")


HOSTILE = {
    "another class": lambda f: describe(f, "model", **{"class": "hostile.Own"}),
    "a class of the standard library": lambda f: describe(f, "model", **{"class": "this.Zen"}),
    "options that are none": lambda f: describe(f, "model", options=[1]),
    "data without a checksum": lambda f: describe(f, "data", checksum=7),
    "no JSON": lambda f: (f / "run.json").write_bytes(b"\x80\x04K\x01."),
    "nested": lambda f: (f / "run.json").write_text("[" * 100_000),
    "a link": lambda f: ((f / "run.json").unlink(), (f / "run.json").symlink_to("/dev/zero")),
    "weights elsewhere": link_best,
    "a history that is none": lambda f: (f / "seed-1111" / "history.csv").write_text("a,b\n1,x\n"),
    "metrics that are none": lambda f: (f / "seed-1111" / "metrics.json").write_text('{"best_epoch": "first"}'),
    "time that is none": lambda f: (f / "seed-1111" / "timing.json").write_text('{"seconds": NaN}'),
}


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_run_is_refused_in_one_line(attack, folder, simulated, canary):
    attack(folder)
    with pytest.raises(ImlcmmError) as refusal:
        write_report([folder], simulated, folder / "report.html")
    assert "\n" not in str(refusal.value)
    assert not canary.exists()


def test_a_run_of_ones_own_model_loads_when_the_caller_names_its_module(folder, canary, monkeypatch, simulated):
    monkeypatch.setattr("imlcmm.models._ADMITTED", {})
    describe(folder, "model", **{"class": "hostile.Own"})
    (folder / "seed-1111" / "best" / "model.json").write_text('{"class": "hostile.Own"}')
    with pytest.raises(ModelError):
        evaluate_runs([folder], simulated, "valid")
    assert not canary.exists()
    assert type(load_run(folder, own_models=["hostile"]).best).__name__ == "Own"
    assert evaluate_runs([folder], simulated, "valid").evaluations


def test_the_command_line_names_the_module_of_ones_own_models(folder, canary, monkeypatch, simulated, capsys):
    monkeypatch.setattr("imlcmm.models._ADMITTED", {})
    describe(folder, "model", **{"class": "hostile.Own"})
    (folder / "seed-1111" / "best" / "model.json").write_text('{"class": "hostile.Own"}')
    words = ["evaluate", str(folder), "--data", str(simulated.path), "--split", "valid"]
    with pytest.raises(SystemExit):
        main(words)
    assert "--own_models MODULE" in capsys.readouterr().err
    assert not canary.exists()
    assert main([*words, "--own_models", "hostile"]) == 0
    assert canary.exists()


def other_state(state, part, value):
    found = torch.load(state, weights_only=True)
    torch.save({**found, part: value}, state)


STATES = {
    "a list": lambda state: torch.save(["no", "state"], state),
    "cut short": lambda state: state.write_bytes(state.read_bytes()[:1000]),
    "a page": lambda state: state.write_text("<html>"),
    "a history that is none": lambda state: other_state(state, "history", ["x"]),
    "other weights": lambda state: other_state(state, "state_dict", {"x": torch.zeros(1)}),
    "other loops": lambda state: other_state(state, "loops", {"fit_loop": 3}),
    "another optimiser": lambda state: other_state(state, "optimizer_states", [{"state": {}, "param_groups": []}]),
}


@pytest.mark.parametrize("content", ["bomb", *STATES])
def test_a_hostile_state_of_an_interrupted_training_is_refused(content, folder, simulated, bomb, canary):
    seed = folder / "seed-1111"
    (seed / "metrics.json").unlink()
    found = torch.load(seed / "last.ckpt", weights_only=True)
    torch.save({**found, "history": found["history"][:1]}, seed / "last.ckpt")
    if content == "bomb":
        (seed / "last.ckpt").write_bytes(bomb)
    else:
        STATES[content](seed / "last.ckpt")
    with pytest.raises(TrainingError, match=r"last\.ckpt is no state") as refusal:
        train(LF_DNN(simulated.spec), simulated, HOW, folder=folder, trainer=QUIET, resume=True)
    assert "\n" not in str(refusal.value)
    assert not canary.exists()


def test_a_study_that_is_none_is_refused(tmp_path, simulated):
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "study.db").write_bytes(b"<html>" * 1000)
    with pytest.raises(TrainingError, match=r"study\.db"):
        tune(LF_DNN, simulated, Recipe("LF_DNN"), folder=tmp_path / "study", trials=1)
    (tmp_path / "study" / "study.db").unlink()
    sqlite3.connect(tmp_path / "study" / "study.db").execute("create table studies (x)").connection.commit()
    with pytest.raises(TrainingError, match=r"study\.db"):
        tune(LF_DNN, simulated, Recipe("LF_DNN"), folder=tmp_path / "study", trials=1)


def test_no_script_of_a_run_or_a_data_set_reaches_the_page(folder, simulated):
    script = "<script>document.title='sung'</script>"
    describe(folder, "data", path=script, checksum=script)
    describe(folder, "environment", torch=script)
    write_report([folder], simulated, folder / "report.html")
    page = (folder / "report.html").read_text()
    assert script not in page
    assert "&lt;script&gt;" in page
