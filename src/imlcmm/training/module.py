"""The only LightningModule: it trains any model of the contract."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import lightning as L
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from imlcmm.errors import TrainingError
from imlcmm.models.base import SentimentModel
from imlcmm.training.loaders import EpochLoader
from imlcmm.training.modality_dropout import drop_modalities
from imlcmm.training.teaching import Teaching
from imlcmm.types import Batch


@dataclass(frozen=True)
class Optimization:
    """How a model is trained.

    Attributes:
        lr: Learning rate at its highest.
        optimizer: AdamW decays the weights apart from the gradient, Adam within it.
        weight_decay: Weight decay.
        batch_size: Labelled clips a step.
        epochs: Epochs, at most.
        patience: Epochs without a better validation loss before training stops; None trains all epochs and keeps the
            last weights, for data sets whose validation split must not be selected on.
        repeats: Passes over the labelled clips that make an epoch: with 1 / share of them, an epoch of a share of the
            labels takes as many steps as one of all.
        window: Batches among which clips are dealt out by length, so that a batch holds clips of like length and little
            padding; 1 leaves them as they are drawn.
        schedule: Whether the learning rate, once it has risen, falls along a cosine or stays.
        warmup: Share of the steps over which the learning rate rises.
        gradient_clip: Largest norm of the gradient, or largest value; 0 turns clipping off.
        clip_by: Whether the gradient is clipped by its norm or value by value.
        accumulate: Batches whose gradients are averaged into one step.
        average: Decay of an exponential moving average of the weights, which is what validation scores and the run
            keeps; 0 keeps the weights themselves.
        modality_dropout: Chance that a training clip loses a modality, each by itself but never the last one.
        seed: What initialisation, order, dropout and mixup are drawn from.
    """

    lr: float = 1e-4
    optimizer: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = 1e-2
    batch_size: int = 32
    epochs: int = 100
    patience: int | None = 8
    repeats: int = 1
    window: int = 1
    schedule: Literal["cosine", "constant"] = "cosine"
    warmup: float = 0.05
    gradient_clip: float = 1.0
    clip_by: Literal["norm", "value"] = "norm"
    accumulate: int = 1
    average: float = 0.0
    modality_dropout: float = 0.0
    seed: int = 1111

    def __post_init__(self) -> None:
        """Refuse what no training can be done with.

        Raises:
            TrainingError: Naming the option and its value.
        """
        for name, wrong, range_ in (
            ("lr", not 0 < self.lr < math.inf, "above 0"),
            ("weight_decay", self.weight_decay < 0, "0 or more"),
            ("batch_size", self.batch_size < 1, "1 or more"),
            ("epochs", self.epochs < 1, "1 or more"),
            ("patience", self.patience is not None and self.patience < 1, "1 or more, or null"),
            ("repeats", self.repeats < 1, "1 or more"),
            ("window", self.window < 1, "1 or more"),
            ("warmup", not 0 <= self.warmup < 1, "from 0 to below 1"),
            ("gradient_clip", self.gradient_clip < 0, "0 or more"),
            ("accumulate", self.accumulate < 1, "1 or more"),
            ("average", not 0 <= self.average < 1, "from 0 to below 1"),
            ("modality_dropout", not 0 <= self.modality_dropout < 1, "from 0 to below 1"),
        ):
            if wrong:
                raise TrainingError(f"optimization.{name} is {getattr(self, name)}; it must be {range_}")


class TrainingModule(L.LightningModule):
    """Train a model by its own loss, and keep the history of its losses and validation scores."""

    def __init__(
        self,
        model: SentimentModel,
        optimization: Optimization,
        loader_for: Callable[[int, int, int], EpochLoader],
        teaching: Teaching | None = None,
    ) -> None:
        """Take the model and how it is trained.

        Args:
            model: The model.
            optimization: How it is trained.
            loader_for: Makes the batches of an epoch, for one of several devices.
            teaching: What teachers say of the clips.
        """
        super().__init__()
        self.model, self.optimization, self.loader_for, self.teaching = model, optimization, loader_for, teaching
        self.averaged: AveragedModel | None = None
        if optimization.average:
            average = get_ema_multi_avg_fn(optimization.average)
            self.averaged = AveragedModel(model, multi_avg_fn=average).requires_grad_(False)
        self.place = (0, 1)
        self.has_begun = False
        self.history: list[dict[str, float]] = []
        self._sums: dict[str, Tensor] = {}
        self._clips: dict[str, int] = {}
        self._begins: dict[int, str] = {}
        self._predicted: list[tuple[Tensor, Tensor]] = []
        self._found: dict[str, float] = {}

    @property
    def kept(self) -> SentimentModel:
        """The model that validation scores and the run keeps."""
        averaged = self.model if self.averaged is None else self.averaged.module
        return cast(SentimentModel, averaged)

    def setup(self, stage: str) -> None:
        """Learn which of how many devices this is."""
        self.place = (self.trainer.global_rank, self.trainer.world_size)

    def train_dataloader(self) -> DataLoader[Batch]:
        """Make the batches of the epoch that begins."""
        loader = self.loader_for(self.current_epoch, *self.place)
        self._begins = loader.begins
        return loader.batches

    def on_train_start(self) -> None:
        """Note that whatever there was to restore has been restored."""
        self.has_begun = True

    def on_train_epoch_start(self) -> None:
        """Tell the model which epoch begins."""
        self._sums, self._clips = {}, {}
        self.model.on_epoch_start(self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        """Compute the loss; each step has its own seed, so that a resumed run draws what an unbroken one would."""
        if index in self._begins:
            self.model.begin_pass(self._begins[index])
        step = self.current_epoch * 1_000_003 + index
        torch.manual_seed(self.optimization.seed * 7_919 + step + self.place[0] * 1_000_000_007)
        batch = drop_modalities(batch, self.optimization.modality_dropout)
        if self.teaching is not None:
            batch = self.teaching.of(batch)
        terms = self.model.loss(self.model(batch), batch)
        loss = torch.stack(list(terms.values())).sum()
        self._add({**terms, "loss": loss}, len(batch.row))
        self.log("loss", loss.detach(), prog_bar=True, logger=False)
        return loss

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, and take the new weights into their average."""
        super().optimizer_step(*args, **kwargs)
        if self.averaged is not None:
            self.averaged.update_parameters(self.model)

    def on_train_epoch_end(self) -> None:
        """Add the epoch to the history: training losses over all devices, and what validation found within it."""
        row = {"epoch": float(self.current_epoch)}
        row |= {f"train_{name}": self._mean(name) for name in self._sums} | self._found
        self.history.append(row)
        self.log_dict({k: v for k, v in row.items() if k != "epoch"}, logger=True)

    def on_validation_epoch_start(self) -> None:
        """Begin to collect predictions."""
        self._predicted, self._found = [], {}
        self._valid_sums: dict[str, Tensor] = {}

    def validation_step(self, batch: Batch, index: int) -> None:
        """Collect the loss of each clip and the predictions."""
        prediction = self.kept(batch)
        for name, term in self.kept.loss(prediction, batch).items():
            self._valid_sums[name] = _total(self._valid_sums.get(name), term, len(batch.row))
        self._predicted.append((prediction.sentiment.detach(), batch.label))
        if index == 0:
            self._found |= self.kept.diagnostics(batch)

    def on_validation_epoch_end(self) -> None:
        """Average over clips, not batches, and let the trainer see the loss that selects."""
        predicted, label = (torch.cat(x).double().cpu() for x in zip(*self._predicted, strict=True))
        losses = {f"valid_{name}": value.item() / len(label) for name, value in self._valid_sums.items()}
        self._found |= losses | {"valid_loss": math.fsum(losses.values())}
        self._found |= {
            "valid_mae": (predicted - label).abs().mean().item(),
            "valid_corr": _correlation(predicted, label),
        }
        self.log("valid_loss", self._found["valid_loss"], prog_bar=True, logger=False)
        self.log("valid_mae", self._found["valid_mae"], prog_bar=True, logger=False)

    def configure_optimizers(self) -> Any:
        """Build the optimiser over the model's groups, and its schedule."""
        how = self.optimization
        # The fused step is several times as fast, but Lightning does not clip with it in mixed precision.
        mixed = self._trainer is not None and "mixed" in str(self._trainer.precision)
        build = torch.optim.AdamW if how.optimizer == "adamw" else torch.optim.Adam
        groups, fused = self.model.parameter_groups(), not (mixed and how.gradient_clip)
        optimizer = build(groups, lr=how.lr, weight_decay=how.weight_decay, fused=fused)
        total = max(1, math.ceil(len(self.loader_for(0, *self.place).batches) / how.accumulate) * how.epochs)
        warmup = max(1, round(how.warmup * total))

        def scale(step: int) -> float:
            if step < warmup:
                return (step + 1) / warmup
            if how.schedule == "constant":
                return 1.0
            return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, total - warmup)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, scale)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Keep the history, and what the model's training remembers, with the weights."""
        checkpoint["history"] = self.history
        checkpoint["training_state"] = {name: self.model.get_buffer(name) for name in self.model.training_state}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Take back what was kept."""
        self.history = checkpoint["history"]
        for name, value in checkpoint["training_state"].items():
            self.model.get_buffer(name).copy_(value)

    def _add(self, terms: Mapping[str, Tensor], clips: int) -> None:
        for name, term in terms.items():
            self._clips[name] = self._clips.get(name, 0) + clips
            self._sums[name] = _total(self._sums.get(name), term, clips)

    def _mean(self, name: str) -> float:
        """Average a term over the clips of all devices."""
        total = self._sums[name]
        both = torch.stack([total, total.new_tensor(self._clips[name])])
        summed, clips = self.trainer.strategy.reduce(both, reduce_op="sum").tolist()
        return float(summed / clips)


def _total(before: Tensor | None, term: Tensor, clips: int) -> Tensor:
    """Add a mean over some clips to a sum over clips, where it lies: an accelerator is not awaited."""
    own = term.detach().double() * clips
    return own if before is None else before + own


def _correlation(predicted: Tensor, label: Tensor) -> float:
    if predicted.std() == 0 or label.std() == 0:
        return math.nan
    return torch.corrcoef(torch.stack([predicted, label]))[0, 1].item()
