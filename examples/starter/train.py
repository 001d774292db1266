"""Training the starter model, and putting it into the package."""

import shutil
from pathlib import Path

import imlcmm
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.prediction.networks.onnx_export import write_copy
from imlcmm.prediction.predictor import STARTER
from imlcmm.training.run import Run
from starter.card import draw_reliability, write_card

WIDTH, EPOCHS = 64, 8


def train(data: SentimentData, folder: Path) -> Run:
    """Train, or go on."""
    model = imlcmm.models.IMLCMM(data.spec, width=WIDTH, dropout=0.3)
    how = imlcmm.Optimization(lr=1e-3, epochs=EPOCHS, patience=2, batch_size=64)
    return imlcmm.train(model, data, how, folder=folder, resume=True)


def install(run: Run, data: SentimentData, sources: Path, out: Path = STARTER) -> None:
    """Put the model into the package, with its copy, its card and its picture."""
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(run.seeds[0] / "best", out)
    write_copy(out)
    measured = write_card(run, data, sources, out)
    draw_reliability(measured, out / "reliability.png")
