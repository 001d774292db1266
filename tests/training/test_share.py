"""A run as others get it: complete, usable as it is, and silent about the machine that it comes from."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from imlcmm import Optimization, TrainerOptions, evaluate_runs, load_run
from imlcmm.cli import main
from imlcmm.errors import TrainingError
from imlcmm.models import LF_DNN
from imlcmm.training.fit import train_seeds
from imlcmm.training.recipe import read_recipe
from imlcmm.training.run import Run
from imlcmm.types import MODALITIES

QUIET = TrainerOptions(progress=False, accelerator="cpu", devices=1)


@pytest.fixture(scope="module")
def run(simulated, tmp_path_factory):
    how, folder = Optimization(lr=1e-3, epochs=2, batch_size=32), tmp_path_factory.mktemp("runs") / "mine"
    return train_seeds(lambda: LF_DNN(simulated.spec), simulated, how, seeds=(5, 6), folder=folder, trainer=QUIET)


@pytest.fixture(scope="module")
def shared(run, simulated):
    evaluate_runs([run.folder], simulated).write(run.folder / "evaluation-test")
    folder = run.folder.parent / "shared"
    run.save_pretrained(folder)
    return folder


def test_it_scores_as_the_run_it_was_made_of(run, shared, simulated):
    ours, theirs = evaluate_runs([run.folder], simulated), evaluate_runs([shared], simulated)
    assert ours.evaluations[0].predictions_frame().equals(theirs.evaluations[0].predictions_frame())
    assert [seed.name for seed in Run.from_pretrained(shared).seeds] == ["seed-5", "seed-6"]
    for before, after in zip(run.seeds, load_run(shared).seeds, strict=True):
        for name in ("model.safetensors", "calibration.json", "README.md"):
            assert (before / "best" / name).read_bytes() == (after / "best" / name).read_bytes()


def test_it_tells_nothing_of_the_machine(run, shared):
    place = str(run.folder.parent).encode()
    data = json.loads((run.folder / "run.json").read_text())["data"]["path"].encode()
    assert Path(data.decode()).is_absolute()
    for file in filter(Path.is_file, shared.rglob("*")):
        assert place not in file.read_bytes(), file
        assert data not in file.read_bytes(), file
    assert not list(shared.rglob("*.ckpt")) + list(shared.rglob("*.png"))


def test_its_card_says_what_was_measured_and_how_to_use_it(run, shared):
    card = (shared / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: imlcmm\n")
    mean = run.scores["mean"]["valid_mae"]
    assert f"| MAE | {mean:.3f} ±" in card
    assert "2 seeds" in card
    assert "SIMULATED" in card
    assert "## On the test split" in card
    assert "imlcmm predict clip.mp4 --model shared" in card


def test_its_recipe_trains_the_same(run, shared, simulated, tmp_path):
    recipe = read_recipe(shared / "recipe.yaml")
    torch.manual_seed(5)
    how = Optimization(**recipe.optimization)
    again = train_seeds(
        lambda: recipe.build(simulated.spec), simulated, how, seeds=(5,), folder=tmp_path / "again", trainer=QUIET
    )
    assert again.outcomes[0] == run.outcomes[0]


def test_a_run_says_what_extracted_its_features(simulated, tmp_path):
    folder = tmp_path / "data"
    shutil.copytree(simulated.path, folder)
    manifest = json.loads((folder / "dataset.json").read_text())
    known = {m: {"name": f"{m}-1", "version": "2.0", "options": {"rate": 1}, "columns": ["a"]} for m in MODALITIES}
    manifest["notes"]["extractors"] = known
    (folder / "dataset.json").write_text(json.dumps(manifest))
    options = ["--optimization.epochs", "1", "--trainer.progress", "false", "--seeds", "1"]
    main(["train", "--data", str(folder), "--model", "LF_DNN", "--folder", str(tmp_path / "run"), *options])
    assert load_run(tmp_path / "run").description["extractors"]["audio"] == {
        "name": "audio-1",
        "version": "2.0",
        "options": {"rate": 1},
    }


def test_nothing_is_overwritten(run, tmp_path):
    (tmp_path / "mine").write_text("kept")
    with pytest.raises(TrainingError, match="holds something already"):
        run.save_pretrained(tmp_path)
    assert [file.name for file in tmp_path.iterdir()] == ["mine"]


def test_a_link_out_of_the_run_is_not_shared(run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    (tmp_path / "secret").write_text("secret")
    (folder / "seed-5" / "best" / "README.md").unlink()
    (folder / "seed-5" / "best" / "README.md").symlink_to(tmp_path / "secret")
    with pytest.raises(TrainingError, match="leads out of its folder"):
        load_run(folder).save_pretrained(tmp_path / "shared")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["run", "secret"]


def test_pushing_uploads_the_shared_folder(run, monkeypatch, capsys):
    uploaded = {}

    class Hub:
        def __init__(self, token=None):
            uploaded["token"] = token

        def create_repo(self, name, *, private, exist_ok):
            uploaded.update(name=name, private=private)
            return f"hub/{name}"

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            uploaded["files"] = {str(file.relative_to(folder_path)) for file in Path(folder_path).rglob("*")}
            uploaded["card"] = (Path(folder_path) / "README.md").read_text()

    monkeypatch.setattr("huggingface_hub.HfApi", Hub)
    main(["share", str(run.folder), "--hub", "me/mine"])
    assert "uploaded to hub/me/mine" in capsys.readouterr().out
    assert (uploaded["name"], uploaded["private"]) == ("me/mine", True)
    assert {"run.json", "recipe.yaml", "seed-6/best/model.safetensors"} <= uploaded["files"]
    assert "--model me/mine" in uploaded["card"]


@pytest.mark.parametrize("more", [[], ["folder", "--hub", "me/mine"]])
def test_it_goes_to_a_folder_or_to_the_hub(run, more, capsys):
    with pytest.raises(SystemExit):
        main(["share", str(run.folder), *more])
    assert "give either a folder to write, or --hub OWNER/NAME" in capsys.readouterr().err
