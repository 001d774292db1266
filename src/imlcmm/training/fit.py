"""Train a model on a data set, once or for several seeds, so that it can be killed and resumed at any moment."""

import json
import logging
import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import TensorBoardLogger
from torch.utils.data import DataLoader

from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import ImlcmmError, TrainingError
from imlcmm.files import write_json, write_text
from imlcmm.models import admit_model, find_model, import_path
from imlcmm.models.base import SentimentModel
from imlcmm.models.calibration import calibrate
from imlcmm.models.checkpoint import load_checkpoint
from imlcmm.models.inference import predict_split
from imlcmm.models.spread import NEARLY_CONSTANT, spread
from imlcmm.modules.linear_algebra import zero_denormals
from imlcmm.training import model_card
from imlcmm.training.curves import draw_learning_curve
from imlcmm.training.loaders import training_loader, validation_loader
from imlcmm.training.module import Optimization, TrainingModule
from imlcmm.training.run import Run
from imlcmm.training.run_files import DESCRIPTION, METRICS, environment, read_description, recover_model
from imlcmm.training.selection import BestAndLast, best_epoch, is_over
from imlcmm.training.start import start_from
from imlcmm.training.teaching import Teaching
from imlcmm.training.training_bar import TrainingBar
from imlcmm.types import Batch
from imlcmm.untrusted import check_type

logger = logging.getLogger(__name__)

REMEDY = (
    "take more steps (--optimization.batch_size 8, --optimization.repeats 4), another learning rate "
    "(--optimization.lr), another seed, or more clips"
)


@dataclass(frozen=True)
class TrainerOptions:
    """Where and how the training loop runs; the values are those of Lightning's Trainer.

    Attributes:
        accelerator: Kind of device: auto, cpu, gpu.
        devices: How many of them, or auto.
        num_nodes: Machines.
        strategy: How several devices share the work.
        precision: Number format, such as 32-true or bf16-mixed.
        progress: Whether a progress bar is shown.
        workers: Processes that make batches; 0 makes them in the training process.
    """

    accelerator: str = "auto"
    devices: int | str = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    precision: str = "32-true"
    progress: bool = True
    workers: int = 0


@zero_denormals()
def train(
    model: SentimentModel,
    data: SentimentData,
    optimization: Optimization | None = None,
    *,
    folder: Path | str,
    unlabelled: ClipDataset | None = None,
    train_clips: ClipDataset | None = None,
    teachers: Run | None = None,
    teaching_share: float = 0.5,
    start: SentimentModel | None = None,
    resume: bool = False,
    trainer: TrainerOptions | None = None,
    told: Callable[[int, int], None] | None = None,
) -> Run:
    """Train one model with one seed and keep everything in a run folder.

    Args:
        model: A model built for `data.spec`; it is trained in place.
        data: Data set with train and valid splits; the test split is not read.
        optimization: How to train.
        folder: Folder of the run.
        unlabelled: Clips without labels, for semi-supervised training.
        train_clips: Labelled clips to train on, if not all of `data.train`.
        teachers: A run whose seeds together soften the labels of the training clips; it should have been trained on no
            other ones.
        teaching_share: How much of what is learnt they say; the rest is the label.
        start: A trained model whose weights are taken wherever both agree, instead of those that `model` has.
        resume: Whether to go on with what is in the folder; a finished seed is left as it is.
        trainer: Where to train.
        told: Is told after each epoch the seed and how many of its epochs are done; all of them at its end.

    Raises:
        TrainingError: If the folder holds another run, or the data cannot be trained on.
    """
    how, options, folder = optimization or Optimization(), trainer or TrainerOptions(), Path(folder)
    admit_model(type(model))
    model.check_fits(data.spec)
    clips = train_clips or data.train
    valid = None if how.patience is None and "valid" not in data.splits else data.valid
    description = describe(model, data, how, options, clips, unlabelled)
    if teachers is not None:
        description["data"]["teachers"] = describe_teachers(teachers, data, clips, teaching_share)
    if start is not None:
        description["model"]["start"] = {"kind": start.spec.kind, "train_clips": start.spec.train_size}
    seed_folder = folder / f"seed-{how.seed}"
    loop = build_trainer(how, options, seed_folder, told)
    if loop.world_size > 1 and not model.several_devices:
        raise TrainingError(f"{type(model).__name__} cannot share its clips among devices; use --trainer.devices 1")
    if loop.is_global_zero:
        open_folder(folder, seed_folder, description, resume)
    if not (seed_folder / METRICS).exists():
        model.prepare(clips)
        if start is not None:
            logger.info("%d of %d weights are those of the model to start from", *start_from(model, start))
        others, judged = (c if c is None else c.averaging(model.averages) for c in (unlabelled, valid))
        loader_for = partial(
            training_loader, clips.averaging(model.averages), others, batch_size=how.batch_size, seed=how.seed,
            repeats=how.repeats, window=how.window, workers=options.workers, passes=model.passes,
        )  # fmt: skip
        validation = None if judged is None else validation_loader(judged, how.batch_size)
        module = TrainingModule(model, how, loader_for, taught_by(teachers, clips, teaching_share))
        fit(loop, module, validation, seed_folder)
        if loop.is_global_zero:
            differing = describe_checkpoint(seed_folder / "best", data, how, description, module)
            title = type(model).__name__ + (" on simulated data" if data.simulated else "")
            finish(module.history, how, seed_folder, title, differing)
    if loop.is_global_zero:
        summarize(folder)
    if told is not None:
        told(how.seed, how.epochs)
    return Run(folder, description)


def train_seeds(
    build_model: Callable[[], SentimentModel],
    data: SentimentData,
    optimization: Optimization,
    *,
    seeds: Sequence[int],
    folder: Path | str,
    few_clips: int | None = None,
    **options: Any,
) -> Run:
    """Train the same model for several seeds, each built after its seed is set; `options` are those of `train`.

    With `few_clips` each seed learns so many labelled clips, drawn by it.

    Raises:
        TrainingError: If there is no seed.
    """
    if not seeds:
        raise TrainingError("no seed to train with; ask for at least one")
    for seed in seeds:
        torch.manual_seed(seed)
        if few_clips is not None:
            options["train_clips"] = data.train.sample(few_clips / len(data.train), seed)
        run = train(build_model(), data, replace(optimization, seed=seed), folder=folder, **options)
    return run


def describe(
    model: SentimentModel,
    data: SentimentData,
    how: Optimization,
    where: TrainerOptions,
    clips: ClipDataset,
    unlabelled: ClipDataset | None,
) -> dict[str, Any]:
    """Say what is trained, on what, how and where; in the first three, the seed apart, runs of one folder agree."""
    config = {k: v for k, v in (model._hub_mixin_config or {}).items() if k != "spec"}  # type: ignore[union-attr]
    optimization = asdict(how)
    del optimization["seed"]
    return {
        "model": {"class": import_path(type(model)), "options": config},
        "optimization": optimization,
        "data": {
            "path": str(data.path),
            "checksum": data.checksum,
            "kind": data.spec.kind,
            "simulated": data.simulated,
            "train_clips": len(clips),
            "label_share": len(clips) / len(data.train),
            "unlabelled_clips": len(unlabelled) if unlabelled is not None else 0,
        },
        "trainer": {k: v for k, v in asdict(where).items() if k not in ("progress", "workers")},
        "environment": environment(),
        "extractors": {
            m: {part: known[part] for part in ("name", "version", "options")}
            for m, known in data.manifest.get("notes", {}).get("extractors", {}).items()
        },
    }


def taught_by(teachers: Run | None, clips: ClipDataset, share: float) -> Teaching | None:
    """Ask a run's seeds about the training clips, if there is a run."""
    return None if teachers is None else Teaching.by([teachers.load(seed) for seed in teachers.seeds], clips, share)


def describe_teachers(run: Run, data: SentimentData, clips: ClipDataset, share: float) -> dict[str, Any]:
    """Say who teaches.

    Raises:
        TrainingError: If they learnt other clips, or more, so that they may know what validation or a share leaves out.
    """
    theirs = run.description["data"]
    if theirs["checksum"] != data.checksum:
        raise TrainingError(
            f"{run.folder} was trained on another data set ({theirs['path']}); teach with a run trained on this one"
        )
    if theirs["train_clips"] > len(clips):
        raise TrainingError(
            f"{run.folder} learnt {theirs['train_clips']} labelled clips, and is to teach {len(clips)}; teach with a "
            "run that was trained on no more"
        )
    return {"model": run.name, "seeds": [seed.name for seed in run.seeds], "share": share}


def open_folder(folder: Path, seed_folder: Path, description: dict[str, Any], resume: bool) -> None:
    """Make the folder of a seed, or check that it may be gone on with.

    Raises:
        TrainingError: If the folder holds a run and resuming was not asked for, or another run than this one.
    """
    file = folder / DESCRIPTION
    if seed_folder.exists() and not resume:
        raise TrainingError(f"{seed_folder} exists already; resume it with --resume, or choose another folder")
    if file.exists():
        before = read_description(folder)
        mine = json.loads(json.dumps(description))
        before["optimization"] = {**asdict(Optimization()), **before["optimization"]}
        before["data"].setdefault("label_share", mine["data"]["label_share"])
        options = signature(find_model(mine["model"]["class"])).parameters
        for name in mine["model"]["options"].keys() - before["model"]["options"].keys():
            before["model"]["options"][name] = options[name].default
        for part in ("model", "optimization", "data"):
            changed = _differences(before[part], mine[part])
            if changed:
                raise TrainingError(
                    f"{folder} holds a run with another {part}: {changed}; resume with the same settings, or choose "
                    "another folder"
                )
    seed_folder.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        write_json(file, description)


def _differences(before: Any, now: Any, prefix: str = "") -> str:
    """Say what differs between two descriptions, the place of the data apart."""
    found = []
    for key in (key for key in now if key != "path" and before.get(key) != now[key]):
        old, new = before.get(key), now[key]
        nested = isinstance(old, dict) and isinstance(new, dict)
        found.append(_differences(old, new, f"{prefix}{key}.") if nested else f"{prefix}{key} was {old!r}, is {new!r}")
    return ", ".join(found)


def fit(loop: L.Trainer, module: TrainingModule, validation: DataLoader[Batch] | None, folder: Path) -> None:
    """Train in a seed's folder, from its last checkpoint where there is one.

    Raises:
        TrainingError: If the checkpoint is damaged, or holds anything but tensors and plain values.
    """
    last, how = folder / "last.ckpt", module.optimization
    recover_model(folder / "best")
    state = str(last) if last.exists() else None
    try:
        if state:
            module.history = torch.load(state, weights_only=True, map_location="cpu")["history"]
            check_type(module.history, list[dict[str, Any]])
        if not is_over(module.history, how):
            loop.fit(module, val_dataloaders=validation, ckpt_path=state, weights_only=True)
    except Exception as error:
        if module.has_begun or not state or isinstance(error, ImlcmmError):
            raise
        # What comes before the first step comes of the state that is read.
        raise TrainingError(
            f"{last} is no state that a training can go on from; remove its folder to train that seed again"
        ) from error
    if loop.interrupted:
        raise KeyboardInterrupt


def build_trainer(
    how: Optimization, options: TrainerOptions, folder: Path, told: Callable[[int, int], None] | None = None
) -> L.Trainer:
    """Set Lightning's loop up for a seed's folder; `told` is told what `BestAndLast` tells.

    Raises:
        TrainingError: If the devices, the strategy or the precision cannot be had.
    """
    quiet_lightning()
    # Nothing here reads what it has not written; filling it first would be half of all launches on a GPU.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        return L.Trainer(
            accelerator=options.accelerator,
            devices=options.devices,
            num_nodes=options.num_nodes,
            strategy=options.strategy,
            precision=options.precision,  # type: ignore[arg-type]
            max_epochs=how.epochs,
            accumulate_grad_batches=how.accumulate,
            gradient_clip_val=how.gradient_clip or None,
            gradient_clip_algorithm=how.clip_by,
            deterministic=True,
            use_distributed_sampler=False,
            reload_dataloaders_every_n_epochs=1,
            num_sanity_val_steps=0,
            enable_model_summary=False,
            enable_progress_bar=False,
            callbacks=[BestAndLast(folder, how, told), *([TrainingBar()] if options.progress else [])],
            logger=TensorBoardLogger(folder, name="tensorboard", version=""),
            log_every_n_steps=1,
        )
    except (ValueError, RuntimeError, MisconfigurationException) as error:
        raise TrainingError(f"the trainer cannot be set up: {' '.join(str(error).split())}") from error


def describe_checkpoint(
    best: Path, data: SentimentData, how: Optimization, description: dict[str, Any], module: TrainingModule
) -> float:
    """Put the calibration, measured where the training ran, and the card beside the selected weights.

    Returns:
        The deviation of its predictions on validation, as a share of the labels'; NaN without a validation split.
    """
    history, model, calibration, differing = module.history, load_checkpoint(best).to(module.device), None, math.nan
    if "valid" in data.splits:
        calibration = calibrate(model, data.valid, how.batch_size)
        calibration.write(best)
        differing = spread(predict_split(model, data.valid)["multimodal"], data.valid.labels[:, 0].numpy())
    selected = history[best_epoch(history, how.patience)]
    write_text(best / model_card.FILE, model_card.trained_card(model, data, description, selected, calibration))
    return differing


def finish(history: list[dict[str, float]], how: Optimization, folder: Path, title: str, differing: float) -> None:
    """Write what a seed's training came to, and say if it came to nothing.

    `metrics.json` comes last and marks the seed as finished; its `valid_spread` is the predictions' deviation.
    """
    selected = best_epoch(history, how.patience)
    draw_learning_curve(history, selected, folder / "learning-curve.png", title)
    scores = {k: v for k, v in history[selected].items() if k.startswith("valid_")}
    scores |= {} if math.isnan(differing) else {"valid_spread": differing}
    if differing < NEARLY_CONSTANT:
        logger.warning(
            f"seed {how.seed} of {title} says nearly the same of every validation clip: its predictions vary by "
            f"{differing:.1%} of the labels' deviation, so it has learned nothing; {REMEDY}"
        )
    finite = {k: v if math.isfinite(v) else None for k, v in scores.items()}
    write_json(folder / METRICS, {"best_epoch": selected, "epochs": len(history), **finite})


def summarize(folder: Path) -> None:
    """Write the mean and the population deviation over the finished seeds of a run."""
    run = Run(folder, {})
    finished = dict(zip((seed.name for seed in run.seeds), run.outcomes, strict=True))
    table = pd.DataFrame(finished.values()).astype(float)
    statistics = {
        "mean": {k: None if math.isnan(v) else v for k, v in table.mean().items()},
        "std": {k: None if math.isnan(v) else v for k, v in table.std(ddof=0).items()},
    }
    write_json(folder / METRICS, {"seeds": finished, **statistics})


def quiet_lightning() -> None:
    """Silence advice about settings that are chosen on purpose."""
    for name in (
        "lightning.pytorch.utilities.rank_zero",
        "lightning.pytorch.accelerators.cuda",
        "lightning.pytorch.trainer.connectors",
    ):
        logging.getLogger(name).setLevel(logging.WARNING)
    for message in ("sync_dist=True", "does not have many workers", "ModelCheckpoint", "log_every_n_steps", "LeafSpec"):
        warnings.filterwarnings("ignore", message=f".*{message}.*")
