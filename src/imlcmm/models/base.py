"""The contract that every model keeps."""

from dataclasses import asdict
from typing import Any, ClassVar

from huggingface_hub import PyTorchModelHubMixin
from torch import Tensor, nn

from imlcmm.datasets.loading import ClipDataset
from imlcmm.errors import ModelError
from imlcmm.models.objectives import Regression, mean_error
from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction


class SentimentModel(nn.Module, PyTorchModelHubMixin, coders={DataSpec: (asdict, lambda values: DataSpec(**values))}):
    """A model of sentiment: built from a data set's spec and hyper-parameters, it turns a batch into a prediction.

    The constructor is the configuration: `save_pretrained` writes its arguments beside the weights, and
    `from_pretrained` builds the same model again, without pickle.
    """

    paper: ClassVar[str]
    """BibTeX-like key of the paper the model comes from."""

    spec: DataSpec

    def forward(self, batch: Batch) -> Prediction:
        """Predict the sentiment of each clip of a batch."""
        raise NotImplementedError

    def loss(self, prediction: Prediction, batch: Batch) -> dict[str, Tensor]:
        """Compute the named terms whose sum is minimised; scalars, averaged over the clips that have a label."""
        objective = Regression()
        raw, target = prediction.sentiment.unsqueeze(-1), objective.target(batch.label)
        return {"multimodal": mean_error(objective, raw, target)}

    def prepare(self, train: ClipDataset) -> None:
        """Take from the train split what the model must know before its first step, such as feature statistics."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Split the parameters into named groups; options such as `lr` in a group replace the run's own."""
        return [{"name": "all", "params": list(self.parameters())}]

    def on_epoch_start(self, epoch: int) -> None:
        """Do what the model's schedule asks for before an epoch (counted from 0)."""

    def diagnostics(self, batch: Batch) -> dict[str, float]:
        """Measure on a batch what a run should log besides its losses, such as the share of inputs off a grid."""
        return {}

    def replace_in_config(self, argument: str, value: Any) -> None:
        """Write another value of a constructor argument into the checkpoint than the one the model was built with."""
        self._hub_mixin_config = {**(self._hub_mixin_config or {}), argument: value}  # type: ignore[dict-item]

    def check_fits(self, spec: DataSpec) -> None:
        """Refuse data whose features differ from those the model was built for.

        Raises:
            ModelError: Naming the modality, both widths and both feature sets.
        """
        for m in MODALITIES:
            mine = (self.spec.widths[m], self.spec.features[m])
            theirs = (spec.widths[m], spec.features[m])
            if mine[0] != theirs[0] or (mine[1] != theirs[1] and "unknown" not in (mine[1], theirs[1])):
                raise ModelError(
                    f"the model was trained on {m} features '{mine[1]}' of width {mine[0]}, but the data has "
                    f"'{theirs[1]}' of width {theirs[0]}; extract the same features or train on this data"
                )
        if (self.spec.low, self.spec.high) != (spec.low, spec.high):
            raise ModelError(
                f"the model predicts from {self.spec.low:g} to {self.spec.high:g}, but the data's labels go from "
                f"{spec.low:g} to {spec.high:g}; evaluate it on data of its own kind ('{self.spec.kind}')"
            )
