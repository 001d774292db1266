"""The commands that a report gives do train the run again."""

import json
import shlex
from dataclasses import replace

import pytest

from imlcmm.cli import main
from imlcmm.reports.page.rerun import changed_options, training_commands
from imlcmm.training.run import load_run


@pytest.mark.parametrize("name", ["lf_dnn_run", "imlcmm_run"])
def test_the_command_trains_the_same_again(name, request, tmp_path):
    run = request.getfixturevalue(name)
    (command,) = training_commands(run)
    words = shlex.split(command)[1:]
    words[words.index(str(run.folder))] = str(tmp_path / "again")
    main([*words, "--trainer.progress=false", "--trainer.accelerator=cpu"])
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    before = json.loads(json.dumps(run.description))
    assert {part: again[part] for part in ("model", "optimization", "data")} == {
        part: before[part] for part in ("model", "optimization", "data")
    }
    for seed in run.seeds:
        history = (tmp_path / "again" / seed.name / "history.csv").read_text()
        assert history == (seed / "history.csv").read_text()


def test_a_share_of_the_labels_and_the_trainer_come_again(simulated, tmp_path):
    words = ["--label_share=0.3", "--optimization.repeats=3", "--trainer.devices=1"]
    usual = ["--data", str(simulated.path), "--model", "LF_DNN", "--optimization.epochs=1", "--trainer.progress=false"]
    main(["train", *usual, *words, "--folder", str(tmp_path / "run")])
    run = load_run(tmp_path / "run")
    (command,) = training_commands(run)
    main([w.replace(str(run.folder), str(tmp_path / "again")) for w in shlex.split(command)[1:]])
    again = load_run(tmp_path / "again").description
    assert again == run.description
    assert again["trainer"]["devices"] == 1
    assert again["data"]["train_clips"] == round(0.3 * len(simulated.train)) < len(simulated.train)


def test_options_that_differ_are_named(lf_dnn_run):
    assert changed_options(lf_dnn_run) == {"encoders.text_hidden": "8", "fusion_hidden": "16"}


def test_what_a_run_does_not_know_stands_in_capitals(lf_dnn_run):
    data = {**lf_dnn_run.description["data"], "unlabelled_clips": 3, "path": "my data"}
    (command,) = training_commands(replace(lf_dnn_run, description={**lf_dnn_run.description, "data": data}))
    assert "--unlabelled UNLABELLED" in command
    assert "--data 'my data'" in command
