"""Every block of the documents: code is run, commands are run or at least read, files are read by what reads them."""

import json
import re
import shutil
import sys
import tomllib
from dataclasses import replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from starlette.routing import Match

sys.path += [str(Path(__file__).parent / name) for name in ("", "datasets", "serve")]
from benches import make_bench
from document_blocks import blocks_of, commands_of
from document_household import furnish
from imlcmm.cli import main
from imlcmm.commands import COMMANDS
from imlcmm.commands.parser import command_parser
from imlcmm.commands.train import train_parser
from imlcmm.datasets.kind_file import find_kind
from imlcmm.datasets.labels.label_table import read_rows
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.simulation.simulate import SIZES
from test_client import serving

ROOT = Path(__file__).parents[1]
OWN_TEST = ROOT / "docs" / "interchange.md"  # test_interchange_page.py runs it
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted({*(ROOT / "docs").rglob("*.md")} - {OWN_TEST})]
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]
SHELL = ("", "sh")

# What makes code small enough for a test; nothing else of a page is changed.
SHORTER = {
    r"epochs=\d+": "epochs=1",
    r"width=\d+": "width=16",
    r"trials=\d+": "trials=1",
}
QUICK = ["--optimization.epochs", "1", "--trainer.progress", "false"]
NARROW = ["--seeds", "1", "--model.width", "16"]
FEW = {"train": 65, "valid": 24, "test": 40, "unlabelled": 10}
# Commands of pages that are run; all others are read completely by the commands' own parsers.
RUN = {
    "README.md": {"convert", "train", "evaluate", "models"},
    "docs/first-run.md": {"simulate", "train", "evaluate", "models"},
    "docs/own-features.md": {"convert", "train", "evaluate"},
    "docs/own-kind.md": {"convert", "train", "evaluate", "report"},
    "docs/own-videos.md": {"predict"},
}
# Of these, the first on a page is run.
ONCE = {"train", "predict"}


@pytest.fixture(scope="session")
def household(simulated, simulated_folder, tmp_path_factory):
    return furnish(tmp_path_factory.mktemp("household"), simulated, simulated_folder)


@pytest.mark.parametrize("name", NAMES)
def test_the_page_holds(name, household, tmp_path, monkeypatch, capsys):
    blocks = blocks_of(ROOT / name)
    if not blocks:
        pytest.skip("has no blocks")
    shutil.copytree(household, tmp_path, dirs_exist_ok=True)
    if "train" in RUN.get(name, ()):
        shutil.rmtree(tmp_path / "runs")  # the page makes its own
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["imlcmm"])
    monkeypatch.setitem(SIZES, "demo", replace(SIZES["demo"], clips=FEW))
    names: dict = {"__name__": "__main__"}
    run = set(RUN.get(name, ()))
    for block in blocks:
        if block.language in SHELL:
            for words in commands_of(block):
                obey(words, run)
        elif block.language == "python":
            run_code(block.text, names, tmp_path)
        else:
            assert block.language in FILES, f"{name}: nothing is known of blocks of the sort '{block.language}'"
            FILES[block.language](block.text)
    said = capsys.readouterr().out
    CHECKS.get(name, lambda _: None)(said)


def test_most_blocks_are_of_a_sort_that_runs():
    found = [block for page in PAGES for block in blocks_of(page)]
    shown = [block for block in found if block.language == "text"]
    assert len(found) - len(shown) >= 30
    assert len(shown) * 3 < len(found)


def obey(words: list[str], run: set[str]) -> None:
    """Run a command, or have its words read completely."""
    program, *rest = words
    if program == "imlcmm":
        obey_imlcmm(rest, run)
    elif program == "torchrun":
        train_parser_once().parse_args(rest[rest.index("train") + 1 :])
    else:
        assert program in PROGRAMS, f"nothing is known of the program '{program}'"
        PROGRAMS[program](rest)


def obey_imlcmm(words: list[str], run: set[str]) -> None:
    if words[:1] == ["--own_models"]:
        words = words[2:]
    name, *rest = words
    if name in run and "--help" not in rest:
        quick = QUICK + (NARROW if "IMLCMM" in rest else []) if name == "train" else []
        main(words + quick)
        run -= {name} & ONCE
    elif name == "train":
        if rest != ["--help"]:
            train_parser_once().parse_args(rest)
    elif name.startswith("--"):
        assert name in ("--version", "--help", "--completion")
    else:
        assert name in COMMANDS, f"there is no command {name}"
        own, more = (rest[: rest.index("--")], rest[rest.index("--") + 1 :]) if "--" in rest else (rest, [])
        if more:
            train_parser_once().parse_args(["--data", "data", "--model", "LMF", *more])
        if own not in (["--help"], []):
            command_parser(COMMANDS[name]).parse_args([word.replace("--no-", "--no_") for word in own])


@cache
def train_parser_once():
    return train_parser()


def run_code(code: str, names: dict, folder: Path) -> None:
    """Run code as it stands, but for what makes it shorter, beside a workbench where it talks to one."""
    for pattern, short in SHORTER.items():
        code = re.sub(pattern, short, code)
    if "http://127.0.0.1:8765" in code:
        with serving(make_bench(folder / "bench", workers=1)) as url:
            exec(code.replace("http://127.0.0.1:8765", url), names)
    else:
        exec(code, names)


def check_pip(words: list[str]) -> None:
    """Hold what is installed against the extras and the pinned versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    pinned = (ROOT / "constraints.txt").read_text(encoding="utf-8").lower().splitlines()
    wanted = [word for word in words[1:] if not word.startswith("-")]
    assert words[0] in ("install", "download"), f"pip {words[0]}"
    assert wanted
    for requirement in wanted:
        own = re.fullmatch(r"(?:imlcmm|\.)(?:\[([\w,]+)\])?", requirement)
        if own:
            assert set(filter(None, (own[1] or "").split(","))) <= set(project["optional-dependencies"]), requirement
        elif not requirement.startswith(("wheels", "constraints", "imlcmm-")):
            name, _, version = requirement.lower().partition("==")
            assert any(line.startswith(f"{name}=={version}") for line in pinned) or name == "pre-commit", requirement


def check_make(words: list[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(words) <= set(targets)


def check_curl(words: list[str]) -> None:
    """Hold an address against those that the server knows."""
    (address,) = [urlsplit(word) for word in words if word.startswith("http")]
    scope = {"type": "http", "method": "GET", "path": address.path, "root_path": "", "headers": []}
    app = make_bench(Path("bench-of-addresses"))
    assert any(route.matches(scope)[0] is Match.FULL for route in app.routes), address.path


def check_compose(words: list[str]) -> None:
    """Hold what a container is made of against the files that are there."""
    assert "compose" in words or (ROOT / "Containerfile").is_file()


def check_python(words: list[str]) -> None:
    """Let python make an environment, or run what is there."""
    assert words[:2] == ["-m", "venv"] or words[:3] == ["-m", "imlcmm", "--version"] or (ROOT / words[0]).is_file()


PROGRAMS = {
    "pip": check_pip,
    "make": check_make,
    "curl": check_curl,
    "podman": check_compose,
    "docker": check_compose,
    "python": check_python,
    "python3": check_python,
}


def read_yaml(text: str) -> None:
    """Let a kind file, a training's configuration or a compose file be read by what reads it."""
    content = yaml.safe_load(text)
    if "low" in content:
        file = Path(f"{content['name']}.yaml")
        file.write_text(text, encoding="utf-8")
        assert find_kind(file).name == content["name"]
    elif "services" in content:
        there = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
        assert content["services"].keys() == there["services"].keys()
    else:
        file = Path("run.yaml")
        file.write_text(text, encoding="utf-8")
        train_parser_once().parse_args(["--config", str(file), *([] if "data" in content else ["--data", "data"])])


def read_labels(text: str) -> None:
    """Let a label file be read as `extract` reads it."""
    Path("written.csv").write_text(text, encoding="utf-8")
    assert list(read_rows(Path("written.csv")))


FILES = {
    "yaml": read_yaml,
    "json": json.loads,
    "toml": tomllib.loads,
    "csv": read_labels,
    "text": lambda text: None,  # what a program answers, or a file of a program that is not ours
}


def readme_holds(said: str) -> None:
    assert "source-disjoint" in said
    assert "Scores on 40 clips" in said


def own_kind_holds(said: str) -> None:
    assert "Course feedback" in said
    for metric in ("Acc2", "Acc5", "MAE", "Corr"):
        assert metric in said
    arousal = load_dataset("data/arousal")
    assert (arousal.spec.low, arousal.spec.high, arousal.spec.neutral) == (0, 1, 0.5)
    page = Path("runs/course/report-test.html").read_text(encoding="utf-8")
    assert "same side of 3" in page
    assert not re.search(r">\+\d\.\d\d<", page)


def workbench_holds(said: str) -> None:
    assert said.startswith("0.0 ")
    assert Path("talk.eaf").stat().st_size > 500


CHECKS = {"README.md": readme_holds, "docs/own-kind.md": own_kind_holds, "docs/workbench.md": workbench_holds}
