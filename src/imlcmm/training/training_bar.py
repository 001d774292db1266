"""The progress of one seed's training."""

import math
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback

from imlcmm.progress import Progress


class TrainingBar(Callback):
    """Show the steps of all epochs, the epoch, and what validation said last."""

    _bar: Progress | None = None

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Begin where the training begins, or goes on."""
        steps, epochs = trainer.num_training_batches, trainer.max_epochs or 0
        total = int(steps) * epochs if math.isfinite(steps) else None
        initial = int(steps) * trainer.current_epoch if total else 0
        quiet = not trainer.is_global_zero
        self._bar = Progress(total=total, initial=initial, desc="training", unit="step", leave=False, disable=quiet)

    def on_train_batch_end(self, *arguments: Any) -> None:
        """Count a step."""
        if self._bar is not None:
            self._bar.update()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Tell the epoch and its validation error."""
        if self._bar is not None:
            said = {"epoch": f"{trainer.current_epoch + 1}/{trainer.max_epochs}"}
            if "valid_mae" in trainer.callback_metrics:
                said["valid_mae"] = f"{float(trainer.callback_metrics['valid_mae']):.3g}"
            self._bar.set_postfix(said)

    def teardown(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """End, however the training ends."""
        if self._bar is not None:
            self._bar.close()
