"""docs/own-kind.md: its files and commands, in order, on a pickle with two labels of its own."""

import re
import shlex
import sys
from pathlib import Path

import numpy as np

from imlcmm.cli import main
from imlcmm.datasets.loading import load_dataset

sys.path.append(str(Path(__file__).parent / "datasets"))
from field_files import field_file, field_split

DOC = (Path(__file__).parents[1] / "docs" / "own-kind.md").read_text(encoding="utf-8")
QUICK = ["--optimization.epochs", "1", "--trainer.progress", "false"]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", DOC, flags=re.MULTILINE | re.DOTALL)


def survey(path: Path) -> None:
    draw = np.random.default_rng(0)
    content = {}
    for name, clips in (("train", 40), ("valid", 24), ("test", 24)):
        split = {key: value for key, value in field_split(name, clips).items() if not key.startswith("regression")}
        content[name] = split | {"satisfaction": draw.uniform(1, 5, clips), "arousal": draw.uniform(0, 1, clips)}
    field_file(path, content)


def test_the_page_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    survey(tmp_path / "survey.pkl")
    for text in blocks("yaml"):
        (tmp_path / f"{re.match('name: ([a-z]+)', text)[1]}.yaml").write_text(text)
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    assert [shlex.split(line)[1] for line in lines] == ["convert", "train", "evaluate", "report", "convert"]
    for line in lines:
        words = shlex.split(line)[1:]
        main(words + (QUICK if words[0] == "train" else []))
    said = capsys.readouterr().out
    assert "Course feedback" in said
    for metric in ("Acc2", "Acc5", "MAE", "Corr"):
        assert metric in said
    arousal = load_dataset("data/arousal")
    assert (arousal.spec.low, arousal.spec.high, arousal.spec.neutral) == (0, 1, 0.5)
    page = (tmp_path / "runs/course/report-test.html").read_text()
    assert "same side of 3" in page
    assert not re.search(r">\+\d\.\d\d<", page)
