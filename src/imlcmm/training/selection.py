"""Which epoch of a training is kept, when the training ends, and what is on disk after each epoch."""

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import lightning as L
import numpy as np
import pandas as pd
from lightning.pytorch.callbacks import Checkpoint

from imlcmm.errors import TrainingError
from imlcmm.files import write_json, write_text
from imlcmm.training.module import Optimization, TrainingModule
from imlcmm.training.run_files import save_model


def best_epoch(history: Sequence[dict[str, float]], patience: int | None) -> int:
    """Select the epoch of the lowest validation loss, or the last one where nothing is selected."""
    if patience is None:
        return len(history) - 1
    return int(np.argmin([row["valid_loss"] for row in history]))


def is_over(history: Sequence[dict[str, float]], how: Optimization) -> bool:
    """Tell whether all epochs are done, or the patience with the validation loss is used up."""
    patient = how.patience is None or not history or len(history) - 1 - best_epoch(history, how.patience) < how.patience
    return len(history) >= how.epochs or not patient


class BestAndLast(Checkpoint):
    """Write the history, the selected model and everything to resume with after each epoch, and stop early."""

    def __init__(self, folder: Path, how: Optimization, told: Callable[[int, int], None] | None = None) -> None:
        """Take the seed's folder, the rule of the early stop, and who is told the seed and how many epochs are done."""
        self.folder, self.how, self.told = folder, how, told
        self.began = time.monotonic()

    def on_train_epoch_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Note when the epoch began."""
        self.began = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Write each file in one step; the checkpoint comes last, so that it never runs ahead of the others."""
        if not isinstance(module, TrainingModule):
            raise TypeError(f"{type(module).__name__} is not a TrainingModule")
        last, selected = len(module.history) - 1, best_epoch(module.history, self.how.patience)
        if not math.isfinite(module.history[-1]["train_loss"]):
            raise TrainingError(
                f"the training loss is {module.history[-1]['train_loss']} in epoch {last}; lower optimization.lr"
            )
        trainer.should_stop = is_over(module.history, self.how)
        if trainer.is_global_zero:
            write_text(self.folder / "history.csv", pd.DataFrame(module.history).to_csv(index=False))
            if selected == last:
                save_model(module.kept, self.folder / "best")
            self.add_time()
        beside = self.folder / ".last.ckpt.part"
        try:
            trainer.save_checkpoint(beside)  # each device takes part in this, the first one writes
            if trainer.is_global_zero:
                beside.replace(self.folder / "last.ckpt")
        finally:
            if trainer.is_global_zero:
                beside.unlink(missing_ok=True)
        if self.told is not None:
            self.told(self.how.seed, len(module.history))

    def add_time(self) -> None:
        """Add the epoch to the time that training has taken, which no other file holds: those are the same each run."""
        file = self.folder / "timing.json"
        before = json.loads(file.read_text())["seconds"] if file.exists() else 0.0
        write_json(file, {"seconds": round(before + time.monotonic() - self.began, 3)})
