"""docs/interchange.md: its commands and code run in order, on a smaller simulated data set."""

import re
import shlex
from pathlib import Path

import pytest

from imlcmm.cli import main
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.simulation.simulate import simulate

datasets = pytest.importorskip("datasets")
DOC = (Path(__file__).parents[1] / "docs" / "interchange.md").read_text(encoding="utf-8")


def test_the_page_runs_as_it_stands(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    named: dict[str, object] = {}
    commands = []
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", DOC, flags=re.MULTILINE | re.DOTALL):
        if language == "python":
            exec(text, named)
            continue
        for words in map(shlex.split, text.splitlines()):
            commands.append(words[1])
            if words[1] == "simulate":
                Path("data").mkdir()
                simulate(Path(words[2]), train=64, valid=24, test=40, unlabelled=0, seed=3)
            else:
                main(words[1:])
    assert commands == ["simulate", "convert", "convert", "convert", "convert"]
    said = capsys.readouterr().out
    first = load_dataset("data/small").train
    shown = f"{first.ids[0]} {first.frames('audio', 0).shape} "
    assert said.count(shown) == 2
    assert "(40,)" in said
    theirs = load_dataset("data/theirs")
    assert {split: len(clips) for split, clips in theirs.splits.items()} == {"train": 40, "valid": 10, "test": 10}
    assert theirs.spec.absent == ("text", "vision")


def test_the_columns_are_those_that_are_written(simulated, tmp_path):
    from imlcmm.datasets.interchange.parquet_out import parquet_features

    told = set(re.findall(r"`(\w+)`", DOC.split("## Columns")[1].split("## With")[0]))
    assert set(parquet_features(simulated)) <= told
