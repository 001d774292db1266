"""Training, prediction and scoring in the manner of scikit-learn's estimators."""

import tempfile
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
from torch import manual_seed

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.clips import ClipDataset
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.errors import TrainingError
from imlcmm.evaluation.metrics import r_squared
from imlcmm.models import find_model
from imlcmm.models.inference import predict_split
from imlcmm.training.fit import TrainerOptions, train
from imlcmm.training.recipe import build_model, optimization_of, shipped_recipe

_Data = SentimentData | ClipDataset | Path | str


class SentimentRegressor:
    """A model and how it is trained; scikit-learn's `clone` copies it unfitted.

    A data set (or the path of its store) is fitted on its train and valid splits, and predicted and scored on its test
    split; a split, or some clips of one, is predicted and scored as it is.

    Args:
        model: Name of the model; its recipe for the kind of data stands under the options below.
        options: Options of the model's constructor.
        optimization: Options of `Optimization`, the seed among them.
        folder: Folder of the run; a temporary one if left out.
        progress: Whether a progress bar is shown.
    """

    def __init__(
        self, model: str = "IMLCMM", *, options: Mapping[str, Any] | None = None,
        optimization: Mapping[str, Any] | None = None, folder: Path | str | None = None, progress: bool = False,
    ) -> None:  # fmt: skip
        """Keep the settings as they are, as scikit-learn asks; nothing is built yet."""
        self.model, self.options, self.optimization = model, options, optimization
        self.folder, self.progress = folder, progress

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Give the settings by name."""
        return {name: getattr(self, name) for name in signature(type(self)).parameters}

    def set_params(self, **settings: Any) -> "SentimentRegressor":
        """Change some settings; a TrainingError names one that there is not."""
        for name, value in settings.items():
            if name not in self.get_params():
                raise TrainingError(f"there is no setting '{name}'; choose from {', '.join(self.get_params())}")
            setattr(self, name, value)
        return self

    def fit(self, X: SentimentData | Path | str, y: None = None) -> "SentimentRegressor":  # noqa: N803
        """Train a new model; the labels come with the data."""
        data = _data(X)
        recipe = shipped_recipe(data.rules.recipes, find_model(self.model)).for_clips(len(data.train))
        how = optimization_of(recipe, **(self.optimization or {}))
        manual_seed(how.seed)
        model = build_model(find_model(self.model), data.spec, {**recipe.options, **(self.options or {})})
        with tempfile.TemporaryDirectory() as beside:
            run = train(model, data, how, folder=self.folder or beside, trainer=TrainerOptions(progress=self.progress))
            self.model_ = run.load(run.folder / f"seed-{how.seed}")
        return self

    def predict(self, X: _Data) -> np.ndarray:  # noqa: N803
        """Predict the multimodal sentiment of each clip, (clips,) float32."""
        if not hasattr(self, "model_"):
            raise TrainingError("nothing is fitted yet; call fit before predict and score")
        return predict_split(self.model_, _clips(X))["multimodal"]

    def score(self, X: _Data, y: None = None) -> float:  # noqa: N803
        """Compute R² over the clips that have a label, as scikit-learn's regressors do."""
        labels = _clips(X).labels[:, 0].numpy()
        return float(r_squared(self.predict(X)[np.isfinite(labels)], labels[np.isfinite(labels)]))


def _data(given: SentimentData | Path | str) -> SentimentData:
    return given if isinstance(given, SentimentData) else load_dataset(given)


def _clips(given: _Data) -> ClipDataset:
    return given if isinstance(given, ClipDataset) else _data(given).test
