"""Settings: what they train, and which of them share a run."""

from dataclasses import replace

import pytest

from imlcmm.errors import TrainingError
from imlcmm.reports.experiments.runs import Setting, train_settings
from imlcmm.reports.experiments.settings import ABLATIONS, TASKS, label_shares, weightings


def named(settings):
    return {setting.name: setting for setting in settings}


def test_settings_that_train_the_same_share_a_run():
    ablations, tasks = named(ABLATIONS), named(TASKS)
    assert ablations["full"].folder == tasks["MTAV"].folder == label_shares()[-2].folder == "IMLCMM"
    assert ablations["no UFA"].folder == tasks["M"].folder
    every = {setting.folder for setting in (*ABLATIONS, *TASKS, *label_shares())}
    assert len(every) == 6 + 8 - 2 + 10 - 1


def test_the_words_say_what_is_trained(tmp_path):
    setting = Setting("x", options={"connector": "mlp"}, unlabelled=True, label_share=0.25)
    assert setting.words(tmp_path) == [
        "--model", "IMLCMM", "--model.connector=mlp", f"--unlabelled={tmp_path}", "--label_share=0.25",
        "--optimization.repeats=4",
    ]  # fmt: skip
    assert Setting("y", model="TFN").words() == ["--model", "TFN"]


def test_a_setting_that_others_teach_has_a_run_of_its_own(tmp_path):
    master = Setting("x", options={"huber": 0.5}, optimization={"average": 0.9})
    pupil = replace(master, teachers=master.folder)
    assert (master.folder, pupil.folder) == ("IMLCMM-huber=0.5-average=0.9", "IMLCMM-huber=0.5-average=0.9-taught")
    assert master.words()[2:] == ["--model.huber=0.5", "--optimization.average=0.9"]
    assert pupil.words(runs=tmp_path)[4:] == [f"--teachers={tmp_path / master.folder}"]


def test_few_clips_are_asked_for_by_number():
    setting = Setting("x", model="LF_DNN", few_clips=64)
    assert setting.folder == "LF_DNN-clips=64"
    assert setting.words() == ["--model", "LF_DNN", "--few_clips=64"]


def test_a_task_is_left_out_by_its_weight():
    assert named(TASKS)["MTA"].options == {"vision_weight": 0}
    assert named(TASKS)["MV"].options == {"text_weight": 0, "audio_weight": 0}


def test_weightings_differ_and_are_always_the_same():
    drawn = weightings(100)
    assert len({setting.folder for setting in drawn}) == 100
    assert drawn == weightings(100)
    assert drawn != weightings(100, seed=1)
    assert {value for setting in drawn for value in setting.options.values()} == {0.2, 0.4, 0.6, 0.8, 1.0}


def test_no_seeds_are_refused(tmp_path):
    with pytest.raises(TrainingError, match="0 seeds"):
        train_settings([Setting("a")], tmp_path, tmp_path, seeds=0)
