"""The README's commands and code run as they stand there, but for shorter training."""

import re
import shlex
from pathlib import Path

from imlcmm.cli import main
from imlcmm.commands import COMMANDS
from imlcmm.commands.parser import command_parser
from imlcmm.datasets.field.export import export_pickle

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
SHORTER = ["--seeds", "1", "--optimization.epochs", "1", "--model.width", "16", "--trainer.progress", "false"]
MORE = {
    "train": SHORTER,
    "leaderboard": ["--models", "LMF", "--seeds", "1", "--", "--optimization.epochs=1"],
    "tune": ["--trials", "1", "--epochs", "1"],
}


def blocks(language: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
    return [text for found, text in fenced if found == language]


def test_the_longer_commands_can_be_given():
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert len(lines) >= 6
    for line in lines:
        name, *words = shlex.split(line, comments=True)[1:]
        command_parser(COMMANDS[name]).parse_args(words)


def test_the_commands_and_the_code_run(simulated, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("data").mkdir()
    export_pickle(simulated, Path("ch-simsv2s.pkl"))
    commands = [shlex.split(line, comments=True) for block in blocks("") for line in block.splitlines()]
    commands = [words[1:] for words in commands if words[0] == "imlcmm"]
    assert [words[0] for words in commands] == ["convert", "train", "evaluate", "models", "leaderboard", "tune"]
    for words in commands:
        main(words + MORE.get(words[0], []))
    assert "source-disjoint" in capsys.readouterr().out
    (code,) = blocks("python")
    assert "epochs=20" in code
    exec(code.replace("epochs=20", "epochs=1").replace("width=64", "width=16"), {})
    assert "Scores on 40 clips" in capsys.readouterr().out
