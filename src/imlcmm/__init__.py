"""Multimodal sentiment analysis: data set, model, training, evaluation, prediction, read from left to right.

    data = imlcmm.load_dataset("ch-simsv2s.pkl", kind="simsv2")
    run = imlcmm.train(imlcmm.models.IMLCMM(data.spec), data, imlcmm.Optimization(seed=1111), folder="runs/iml-cmm")
    print(imlcmm.evaluate_runs([run.folder], data).markdown)
    print(imlcmm.Predictor.load(run.folder)("clip.mp4"))

The names load when they are first used, so that importing the package does no work.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "load_dataset": "imlcmm.datasets.loading",
    "simulate": "imlcmm.datasets.simulation.simulate",
    "convert": "imlcmm.datasets.convert",
    "extract": "imlcmm.datasets.extract",
    "train": "imlcmm.training.fit",
    "train_seeds": "imlcmm.training.fit",
    "Optimization": "imlcmm.training.module",
    "TrainerOptions": "imlcmm.training.fit",
    "load_run": "imlcmm.training.run",
    "find_pretrained": "imlcmm.pretrained",
    "evaluate": "imlcmm.evaluation.evaluate",
    "evaluate_runs": "imlcmm.evaluation.evaluate",
    "SentimentRegressor": "imlcmm.evaluation.estimator",
    "Predictor": "imlcmm.prediction.predictor",
}

__all__ = [*_HOMES, "models"]  # noqa: PLE0604 (all of them are strings)


def __getattr__(name: str) -> Any:
    """Import a public name from its home."""
    if name == "models":
        return import_module("imlcmm.models")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"imlcmm has no '{name}'")
