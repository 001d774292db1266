"""Training: reproducible, resumable, honest about what it selects."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from short_runs import QUIET, SHORT, SMALL, small

from imlcmm.datasets.simulation.simulate import simulate
from imlcmm.errors import TrainingError
from imlcmm.models import AV_MC, IMLCMM, LF_DNN, MFN, MMIM, Self_MM, find_model
from imlcmm.training import fit as fit_module
from imlcmm.training.fit import TrainerOptions, train, train_seeds
from imlcmm.training.loaders import EpochLoader
from imlcmm.training.module import Optimization
from imlcmm.training.run import Run, load_run
from imlcmm.training.selection import best_epoch, is_over


def written(folder: Path) -> dict[str, bytes]:
    names = ("metrics.json", "history.csv", "best/model.safetensors")
    return {name: (folder / "seed-7" / name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def finished(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    train(small(simulated), simulated, SHORT, folder=folder, trainer=QUIET)
    return folder


def test_a_run_folder_holds_what_a_reader_needs(finished):
    run = load_run(finished)
    assert run.name == "IMLCMM"
    assert run.description["data"]["simulated"] is True
    assert run.description["model"]["options"]["width"] == 16
    metrics = json.loads((finished / "seed-7" / "metrics.json").read_text())
    assert metrics["epochs"] == 4
    assert 0 < metrics["valid_mae"] < 2
    assert (finished / "seed-7" / "learning-curve.png").stat().st_size > 10_000
    assert list((finished / "seed-7" / "tensorboard").glob("events*"))
    assert not list(finished.rglob(".*"))


def test_a_run_notes_how_much_its_predictions_vary(finished):
    metrics = json.loads((finished / "seed-7" / "metrics.json").read_text())
    assert metrics["valid_spread"] > 0
    assert "valid_spread" in json.loads((finished / "metrics.json").read_text())["mean"]


def test_a_model_that_learns_nothing_is_noticed(simulated, tmp_path, caplog):
    """At a rate this small the head stays at the labels' mean, where it begins."""
    model = small(simulated)
    for name, weights in model.named_parameters():
        if "head" in name:
            torch.nn.init.zeros_(weights)
    how = Optimization(lr=1e-12, epochs=1, seed=7)
    train(model, simulated, how, folder=tmp_path / "run", trainer=QUIET)
    (said,) = [record.message for record in caplog.records if "learned nothing" in record.message]
    assert "seed 7" in said
    assert "\n" not in said
    assert json.loads((tmp_path / "run" / "seed-7" / "metrics.json").read_text())["valid_spread"] < 0.05


def test_the_checkpoint_has_a_card(finished, simulated):
    card = (finished / "seed-7" / "best" / "README.md").read_text(encoding="utf-8")
    metrics = json.loads((finished / "seed-7" / "metrics.json").read_text())
    assert "SIMULATED" in card
    assert f"{len(simulated.train):,} clips labelled from -1 to 1 (simsv2), 0 without labels" in card
    assert f"MAE {metrics['valid_mae']:.3f}" in card
    assert "also chose the epoch" in card
    assert all(f"\n## {part}\n" in card for part in ("Training data", "Intended use", "Limits", "Law"))


def test_the_same_seed_gives_the_same_bytes(simulated, finished, tmp_path):
    train(small(simulated), simulated, SHORT, folder=tmp_path, trainer=QUIET)
    assert written(tmp_path) == written(finished)


def test_another_seed_gives_another_run(simulated, finished, tmp_path):
    train(small(simulated), simulated, replace(SHORT, seed=8), folder=tmp_path, trainer=QUIET)
    other = (tmp_path / "seed-8" / "history.csv").read_bytes()
    assert other != written(finished)["history.csv"]


@pytest.mark.parametrize("stop", [1, 4, 7])
def test_an_interrupted_run_resumes_to_the_same_bytes(simulated, finished, tmp_path, monkeypatch, stop):
    steps = iter(range(100))
    step = fit_module.TrainingModule.training_step

    def interrupted(self, batch, index):
        if next(steps) == stop:
            raise RuntimeError("power cut")
        return step(self, batch, index)

    with monkeypatch.context() as patch:
        patch.setattr(fit_module.TrainingModule, "training_step", interrupted)
        with pytest.raises(RuntimeError, match="power cut"):
            train(small(simulated), simulated, SHORT, folder=tmp_path, trainer=QUIET)
    torch.manual_seed(123)
    train(IMLCMM(simulated.spec, **SMALL) if stop > 2 else small(simulated), simulated, SHORT,
          folder=tmp_path, trainer=QUIET, resume=True)  # fmt: skip
    assert written(tmp_path) == written(finished)


def test_a_run_of_an_older_version_is_gone_on_with(simulated, tmp_path):
    train(small(simulated), simulated, SHORT, folder=tmp_path, trainer=QUIET)
    file = tmp_path / "run.json"
    old = json.loads(file.read_text())
    del old["optimization"]["repeats"], old["data"]["label_share"], old["trainer"], old["model"]["options"]["huber"]
    file.write_text(json.dumps(old))
    train(small(simulated), simulated, replace(SHORT, seed=8), folder=tmp_path, trainer=QUIET, resume=True)
    with pytest.raises(TrainingError, match="repeats was 1, is 2"):
        train(small(simulated), simulated, replace(SHORT, repeats=2), folder=tmp_path, trainer=QUIET, resume=True)


@pytest.mark.parametrize(
    ("model", "options"), [(MFN, {}), (MMIM, {}), (Self_MM, {}), (AV_MC, {"recurrent": True})], ids=str
)
def test_what_training_remembers_is_resumed(simulated, tmp_path, monkeypatch, model, options):
    def go(folder, **more):
        torch.manual_seed(7)
        built, unlabelled = model(simulated.spec, **options), simulated.unlabelled
        train(built, simulated, SHORT, folder=folder, trainer=QUIET, unlabelled=unlabelled, **more)

    go(tmp_path / "whole")
    epochs, finish = iter(range(100)), fit_module.TrainingModule.on_train_epoch_start

    def interrupted(self):
        if next(epochs) == 2:
            raise RuntimeError("power cut")
        finish(self)

    with monkeypatch.context() as patch:
        patch.setattr(fit_module.TrainingModule, "on_train_epoch_start", interrupted)
        with pytest.raises(RuntimeError, match="power cut"):
            go(tmp_path / "cut")
    go(tmp_path / "cut", resume=True)
    assert written(tmp_path / "cut") == written(tmp_path / "whole")


def test_models_that_see_all_clips_refuse_several_devices(simulated, tmp_path):
    several = replace(QUIET, devices=2, strategy="ddp")
    with pytest.raises(TrainingError, match="Self_MM cannot share its clips among devices"):
        train(Self_MM(simulated.spec), simulated, SHORT, folder=tmp_path / "run", trainer=several)
    assert not (tmp_path / "run").exists()


def test_a_killed_process_resumes_to_the_same_bytes(simulated_folder, tmp_path):
    def command(folder, *more):
        options = ["--model", "LF_DNN", "--optimization.epochs", "6", "--trainer.progress", "false"]
        arguments = ["train", "--data", str(simulated_folder), "--folder", str(folder), *options, *more]
        return [sys.executable, "-m", "imlcmm.cli", *arguments]

    subprocess.run(command(tmp_path / "whole"), check=True, capture_output=True)
    with subprocess.Popen(command(tmp_path / "cut"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not (tmp_path / "cut" / "seed-1111" / "last.ckpt").exists() and process.poll() is None:
            time.sleep(0.01)
        process.kill()
    subprocess.run(command(tmp_path / "cut", "--resume"), check=True, capture_output=True)
    for name in ("metrics.json", "history.csv", "best/model.safetensors"):
        whole, cut = (tmp_path / run / "seed-1111" / name for run in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes(), name


@pytest.mark.parametrize("model", ["IMLCMM", "Self_MM"])
def test_mixed_precision_trains_with_clipping(simulated, tmp_path, model):
    torch.manual_seed(0)
    options = {"width": 8, "heads": 2, "tokens": 2, "fusion_depth": 1} if model == "IMLCMM" else {}
    built = find_model(model)(simulated.spec, **options)
    mixed = TrainerOptions(accelerator="cpu", progress=False, precision="bf16-mixed")
    run = train(built, simulated, Optimization(epochs=1), folder=tmp_path / "run", trainer=mixed)
    assert 0 < run.outcomes[0]["valid_mae"] < 2
    assert run.description["trainer"]["precision"] == "bf16-mixed"


@pytest.mark.slow
def test_two_devices_train_one_model(simulated_folder, tmp_path):
    options = ["--model", "LF_DNN", "--optimization.epochs", "2", "--optimization.batch_size", "16", "--seeds", "2"]
    trainer = ["--trainer.accelerator=cpu", "--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.progress=false"]
    arguments = ["train", "--data", str(simulated_folder), "--folder", str(tmp_path / "run"), *options, *trainer]
    subprocess.run([sys.executable, "-m", "imlcmm.cli", *arguments], check=True, capture_output=True, timeout=300)
    run = load_run(tmp_path / "run")
    assert len(run.seeds) == 2
    assert all(len((seed / "history.csv").read_text().splitlines()) == 3 for seed in run.seeds)


@pytest.mark.slow
def test_torchrun_with_two_processes_learns_as_one_with_batches_twice_as_large(tmp_path):
    data, half = simulate(tmp_path / "store", train=64, valid=24, test=8, seed=3), 16
    still = ["width=8", "heads=2", "tokens=2", "fusion_depth=1", "dropout=0", "mixup_weight=0"]
    words = ["train", "--data", str(data), "--model", "IMLCMM", *(f"--model.{each}" for each in still)]
    words += ["--optimization.epochs=3", "--trainer.progress=false", "--trainer.accelerator=cpu"]
    two = ["--trainer.devices=2", "--trainer.strategy=ddp", f"--optimization.batch_size={half}"]
    starters = {
        "one": (["-m", "imlcmm.cli"], [f"--optimization.batch_size={2 * half}"]),
        "two": (["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "-m", "imlcmm.cli"], two),
    }
    curves = {}
    for name, (starter, more) in starters.items():
        command = [sys.executable, *starter, *words, *more, "--folder", str(tmp_path / name)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        curves[name] = pd.read_csv(tmp_path / name / "seed-1111" / "history.csv")
    for column in ("train_loss", "valid_mae"):
        assert len(curves["two"][column].dropna()) == 3
        assert curves["two"][column].to_numpy() == pytest.approx(curves["one"][column].to_numpy(), rel=1e-4), column


def test_resuming_with_other_settings_is_refused(simulated, finished):
    with pytest.raises(TrainingError, match=r"another optimization: lr was 0.001, is 0.1;"):
        train(small(simulated), simulated, replace(SHORT, lr=0.1), folder=finished, trainer=QUIET, resume=True)
    with pytest.raises(TrainingError, match="resume it with --resume"):
        train(small(simulated), simulated, SHORT, folder=finished, trainer=QUIET)


def test_the_best_checkpoint_is_the_selected_epoch(simulated, tmp_path):
    run = train(LF_DNN(simulated.spec), simulated, replace(SHORT, lr=0.02, epochs=30, patience=2), folder=tmp_path,
                trainer=QUIET)  # fmt: skip
    metrics = json.loads((tmp_path / "seed-7" / "metrics.json").read_text())
    assert metrics["epochs"] == min(30, metrics["best_epoch"] + 3)
    batch = simulated.valid.batch(range(len(simulated.valid)))
    error = (run.best(batch).sentiment - batch.label).abs().mean()
    assert error.item() == pytest.approx(metrics["valid_mae"], abs=1e-5)


def test_without_patience_the_last_epoch_is_kept(simulated, tmp_path):
    train(LF_DNN(simulated.spec), simulated, replace(SHORT, patience=None), folder=tmp_path, trainer=QUIET)
    assert json.loads((tmp_path / "seed-7" / "metrics.json").read_text())["best_epoch"] == 3


def test_selection_rules():
    rows = [{"valid_loss": v} for v in (0.5, 0.3, 0.4, 0.45)]
    assert best_epoch(rows, 2) == 1
    assert best_epoch(rows, None) == 3
    assert is_over(rows, Optimization(patience=2))
    assert not is_over(rows, Optimization(patience=3))
    assert is_over(rows, Optimization(patience=None, epochs=4))


def test_seeds_are_summarised(simulated, tmp_path):
    how = replace(SHORT, epochs=1)
    train_seeds(lambda: LF_DNN(simulated.spec), simulated, how, seeds=[1, 2], folder=tmp_path, trainer=QUIET)
    summary = json.loads((tmp_path / "metrics.json").read_text())
    values = [summary["seeds"][f"seed-{s}"]["valid_mae"] for s in (1, 2)]
    assert summary["mean"]["valid_mae"] == pytest.approx(sum(values) / 2)
    assert summary["std"]["valid_mae"] == pytest.approx(abs(values[0] - values[1]) / 2)


def test_each_seed_may_draw_few_clips_of_its_own(simulated, tmp_path, monkeypatch):
    learnt = []

    def noted(model, data, how, **options):
        learnt.append(options["train_clips"].ids)
        return Run(tmp_path, {})

    monkeypatch.setattr(fit_module, "train", noted)
    for _ in range(2):
        train_seeds(lambda: LF_DNN(simulated.spec), simulated, SHORT, seeds=[1, 2], folder=tmp_path, few_clips=20)
    assert [len(ids) for ids in learnt] == [20] * 4
    assert learnt[:2] == learnt[2:]
    assert learnt[0] != learnt[1]


def test_unlabelled_clips_change_the_training(simulated, finished, tmp_path):
    train(small(simulated), simulated, SHORT, folder=tmp_path, trainer=QUIET, unlabelled=simulated.unlabelled)
    assert written(tmp_path)["best/model.safetensors"] != written(finished)["best/model.safetensors"]


def test_a_diverged_run_says_so(simulated, tmp_path):
    how = replace(SHORT, lr=1e30, gradient_clip=0.0)
    with pytest.raises(TrainingError, match=r"lower optimization\.lr"):
        train(LF_DNN(simulated.spec), simulated, how, folder=tmp_path, trainer=QUIET)


def test_groups_keep_their_own_learning_rate(simulated):
    class TwoGroups(LF_DNN):
        def parameter_groups(self):
            return self.group(fusion={"lr": 0.5})

    module = fit_module.TrainingModule(TwoGroups(simulated.spec), SHORT, lambda *place: EpochLoader([0] * 10, {}))
    optimizer = module.configure_optimizers()["optimizer"]
    assert [group["initial_lr"] for group in optimizer.param_groups] == [0.5, 1e-3]
