"""The command line, from simulated data to a table, and what bad input gets."""

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from imlcmm.cli import main
from imlcmm.commands import COMMANDS
from imlcmm.commands.parser import arguments_of, command_parser
from imlcmm.commands.train import train
from imlcmm.features.extractor_options import ExtractorOptions

TRAIN = ["train", "--data", "DATA", "--model", "LF_DNN"]


def run(*words) -> int:
    return main([str(w) for w in words])


def test_from_simulation_to_a_table(tmp_path, capsys):
    assert run("simulate", tmp_path / "data", "--seed", 1) == 0
    assert "imulated" in capsys.readouterr().out
    options = [
        "--model",
        "LF_DNN",
        "--model.encoders.text_hidden",
        8,
        "--optimization.epochs",
        1,
        "--trainer.progress",
        "false",
    ]
    assert run("train", "--data", tmp_path / "data", "--folder", tmp_path / "run", "--label_share", 0.1, *options) == 0
    assert run("evaluate", tmp_path / "run", "--data", tmp_path / "data", "--out", tmp_path / "scores") == 0
    out = capsys.readouterr().out
    assert "oracle TAV" in out
    assert "Simulated data" in out
    for name in ("evaluation.json", "evaluation.csv", "evaluation.md", "predicted-against-true.png"):
        assert (tmp_path / "scores" / name).stat().st_size > 0


def test_there_and_back_through_the_pickle(simulated_folder, tmp_path, capsys):
    assert run("convert", simulated_folder, tmp_path / "x.pkl") == 0
    assert run("convert", tmp_path / "x.pkl", tmp_path / "again") == 0
    assert "65" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "--data", "nowhere", "--model", "LF_DNN"], "nowhere"),
        (["evaluate", "nowhere", "--data", "DATA"], "is not a run"),
        (["convert", "nowhere.pkl", "out"], "nowhere.pkl"),
        (["convert", "nowhere.pkl"], "required: out; see imlcmm"),
        (["frobnicate"], "there is no command 'frobnicate'"),
        (["train", "--data", "DATA", "--model", "TNF"], "no model 'TNF'; choose one of LF_DNN, TFN"),
        ([*TRAIN, "--model.nope", "3"], "Option 'nope' is not accepted"),
        ([*TRAIN, "--model.encoders.audio_dropout", "2"], "LF_DNN cannot be built: dropout probability"),
        ([*TRAIN, "--optimization.epochs", "many"], "--optimization.epochs is many; it must be a whole number"),
        (
            ["extract", "a", "b", "--audio", "mp3"],
            "--audio is mp3; it must be one of mfcc, egemaps; see",
        ),
        (["predict", "a", "--frame_rate", "x"], "--frame_rate is x; it must be a number"),
        ([*TRAIN, "--optimization.epochs", "0"], "optimization.epochs is 0; it must be 1 or more"),
        ([*TRAIN, "--label_share", "2"], "a share of 2 of the clips"),
        ([*TRAIN, "--trainer.accelerator", "abacus"], "the trainer cannot be set up"),
        (["train", "--data", "DATA", "--model", "IMLCMM", "--model.width", "10"], "no multiple of 8 attention heads"),
    ],
)
def test_mistakes_get_one_line(simulated_folder, capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        run(*[str(simulated_folder) if w == "DATA" else w for w in words])
    error = capsys.readouterr().err
    assert stop.value.code == 2
    assert message in error
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_debug_shows_the_traceback(tmp_path, monkeypatch):
    from imlcmm.errors import ImlcmmError

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImlcmmError):
        run("train", "--data", "nowhere", "--model", "LF_DNN", "--debug")


@pytest.mark.parametrize("words", [["--help"], ["--version"], [], ["extract", "--help"], ["predict", "--help"]])
def test_help_loads_neither_frameworks_nor_data(words):
    code = "import sys; from imlcmm.cli import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
    code += "print([name for name in ('lightning', 'torch', 'numpy', 'pandas', 'transformers') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_python_m_and_the_version(capsys):
    done = subprocess.run([sys.executable, "-m", "imlcmm", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"imlcmm {version('imlcmm')}\n"


def test_a_reader_who_has_seen_enough_is_no_error():
    words = [sys.executable, "-m", "imlcmm", "models"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        program.stdout.close()
        assert program.stderr.read() == b""
    assert program.returncode == 0


def test_the_overview_tells_what_each_command_does(capsys):
    with pytest.raises(SystemExit) as stop:
        run()
    shown = capsys.readouterr().out
    assert stop.value.code == 0
    for name, command in {"train": train, **COMMANDS}.items():
        assert re.search(rf"\n +{name}\s+{re.escape(command.__doc__[:20])}", shown)


@pytest.mark.parametrize("name", COMMANDS)
def test_types_are_shown_as_people_write_them(name, capsys):
    with pytest.raises(SystemExit):
        run(name, "--help")
    shown = capsys.readouterr().out
    assert "<class" not in shown
    assert "type:" not in shown
    assert "null" not in shown


def test_a_switch_needs_no_value(tmp_path, monkeypatch):
    given = command_parser(COMMANDS["extract"]).parse_args(["videos", "out", "--allow_failures", "--workers", "3"])
    assert (given.allow_failures, given.workers, given.transcribe) == (True, 3, True)
    first = command_parser(COMMANDS["predict"]).parse_args(["--timing", "a.mp4", "--no_asr", "false"])
    assert (first.timing, first.paths, first.no_asr) == (True, [Path("a.mp4")], False)


@pytest.mark.parametrize("words", [["--no_asr", "clip.wav"], ["--transcribe", "false", "clip.wav"]])
@pytest.mark.parametrize("name", ["predict", "extract"])
def test_listening_is_turned_off_by_a_word(name, words):
    words = [*words, "out"]
    given = command_parser(COMMANDS[name]).parse_args(words)
    arguments = arguments_of(COMMANDS[name], given.as_dict())
    assert arguments["extractor"] == ExtractorOptions(transcribe=False)
    heard = command_parser(COMMANDS[name]).parse_args(["clip.wav", "out"])
    assert arguments_of(COMMANDS[name], heard.as_dict())["extractor"] == ExtractorOptions()


def test_a_mistyped_command_is_guessed(capsys):
    for word, hint in (("trian", "did you mean train?"), ("xyz", "choose one of train, convert")):
        with pytest.raises(SystemExit) as stop:
            run(word)
        assert stop.value.code == 2
        assert hint in capsys.readouterr().err


def test_a_shell_completes_commands_and_options(capsys):
    run("--completion", "bash")
    script = capsys.readouterr().out
    assert all(word in script for word in ("leaderboard", "--memory_limit", "--optimization.epochs"))
