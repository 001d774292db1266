"""Progress of long work: in a log, a line now and then; results alone on standard output."""

import subprocess
import sys

import pytest

from imlcmm import progress
from imlcmm.progress import Progress


def test_a_log_gets_lines_and_not_many(capsys, monkeypatch):
    quick = Progress(range(1000), desc="quick")
    for number in quick:
        quick.set_postfix(number=number)
    assert not capsys.readouterr().err
    monkeypatch.setattr(progress, "SECONDS", 0.0)
    for _ in Progress(range(3), desc="slow", miniters=1):
        pass
    said = capsys.readouterr().err
    assert "\r" not in said
    assert "slow: 100%" in said.splitlines()[-1]


@pytest.mark.parametrize("command", ["train", "evaluate"])
def test_standard_output_holds_the_result_alone(command, simulated_folder, tmp_path):
    run = str(tmp_path / "run")
    words = ["--data", str(simulated_folder)]
    train = ["train", *words, "--model", "LF_DNN", "--optimization.epochs", "2", "--folder", run]
    done = [
        subprocess.run([sys.executable, "-m", "imlcmm", *each], capture_output=True, text=True, check=True)
        for each in ([train] if command == "train" else [train, ["evaluate", run, *words]])
    ][-1]
    assert "\r" not in done.stdout + done.stderr
    if command == "train":
        assert done.stdout.startswith("1 seed trained in")
        assert done.stdout.count("\n") == 1
    else:
        assert done.stdout.startswith("**Simulated data")
