"""The release checklist sees what is open."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

HOME = Path(__file__).parents[1]


@pytest.fixture
def checklist(tmp_path, monkeypatch):
    """Load the script, and point it at a copy of what it reads."""
    spec = importlib.util.spec_from_file_location("check_release", HOME / "tools" / "check_release.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text('[project]\nversion = "7.1.0"\n')
    (tmp_path / "CITATION.cff").write_text("version: 7.1.0\ndate-released: 2030-01-02\n")
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n## [7.1.0] - 2030-01-02\n\n- All.\n")
    who = ["-c", "user.name=x", "-c", "user.email=x@x"]
    for words in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "All"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True)
    monkeypatch.setattr(module, "HOME", tmp_path)
    return module


def open_points(checklist):
    return [text for passed, text in checklist.checks() if not passed]


def test_before_the_packages_are_built_only_they_are_open(checklist, capsys):
    assert open_points(checklist) == ["`make dist` built wheel and sdist of 7.1.0"]
    assert checklist.main() == 1
    assert "By hand:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "before", "after", "point"),
    [
        ("CITATION.cff", "7.1.0", "7.0.0", "CITATION.cff is of version 7.1.0"),
        ("CITATION.cff", "01-02", "01-03", "CITATION.cff has the same date"),
        ("CHANGELOG.md", "[7.1.0]", "[7.0.0]", "CHANGELOG.md has a section of 7.1.0 with its date, at the top"),
        ("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n\n- More.\n", "nothing in CHANGELOG.md is unreleased"),
    ],
)
def test_what_is_open_is_named(checklist, file, before, after, point):
    path = checklist.HOME / file
    path.write_text(path.read_text().replace(before, after, 1))
    assert {point, "everything is committed"} <= set(open_points(checklist))


def test_packages_older_than_the_code_are_named(checklist):
    (checklist.HOME / "dist").mkdir()
    for end in ("-py3-none-any.whl", ".tar.gz"):
        shutil.make_archive(str(checklist.HOME / "all"), "zip", HOME / "tools")
        (checklist.HOME / "all.zip").rename(checklist.HOME / "dist" / f"imlcmm-7.1.0{end}")
    assert "the wheel carries the licence and what others made" in open_points(checklist)
