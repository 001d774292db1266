"""What a sentiment head is trained for: a value, or a class."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction

ObjectiveName = Literal["regression", "classification"]


class Regression:
    """Predict the label itself, by its absolute error (IML-CMM equations 23-24), its squared one, or one in between."""

    outputs = 1

    def __init__(self, spec: DataSpec | None = None, *, squared: bool = False, huber: float = 0.0) -> None:
        """Choose the error, and the data set whose labels are brought to the models' own scale.

        Args:
            spec: The data set.
            squared: Whether the error is squared.
            huber: Difference, on the models' own scale, below which the error is squared and from which it is absolute
                (Huber 1964, divided by that difference); 0 for absolute throughout.
        """
        self.spec, self.squared, self.huber = spec, squared, huber

    def sentiment(self, raw: Float[Tensor, "batch 1"]) -> Float[Tensor, " batch"]:
        """Read the value."""
        value = raw.squeeze(-1)
        return value if self.spec is None else self.spec.sentiment(value)

    def target(self, label: Float[Tensor, " batch"]) -> Float[Tensor, "batch 1"]:
        """Take the label on the models' own scale."""
        return (label if self.spec is None else self.spec.scaled(label)).unsqueeze(-1)

    def pseudo_target(self, raw: Float[Tensor, "batch 1"]) -> Float[Tensor, "batch 1"]:
        """Take the prediction as it is."""
        return raw.detach()

    def error(self, raw: Float[Tensor, "batch 1"], target: Float[Tensor, "batch 1"]) -> Float[Tensor, " batch"]:
        """Compute |prediction - label|, its square, or Huber's error."""
        difference = (raw - target).squeeze(-1)
        if self.huber:
            return F.huber_loss(difference, torch.zeros_like(difference), "none", self.huber) / self.huber
        return difference.square() if self.squared else difference.abs()


class Classification:
    """Predict the data set's sentiment class, by cross-entropy (IML-CMM equation 28).

    The sentiment value is the mean of the class centres under the predicted probabilities.
    """

    def __init__(self, spec: DataSpec) -> None:
        """Take the classes of the data set."""
        self.centres, self.edges = torch.tensor(spec.class_centres), torch.tensor(spec.class_edges)
        self.outputs = len(spec.class_centres)

    def sentiment(self, raw: Float[Tensor, "batch classes"]) -> Float[Tensor, " batch"]:
        """Average the class centres."""
        return raw.float().softmax(-1) @ self.centres.to(raw.device)

    def target(self, label: Float[Tensor, " batch"]) -> Float[Tensor, "batch classes"]:
        """Put all probability on the label's class."""
        classes = torch.bucketize(label.nan_to_num().contiguous(), self.edges.to(label.device))
        return F.one_hot(classes, self.outputs).float().masked_fill(label.isnan().unsqueeze(-1), torch.nan)

    def pseudo_target(self, raw: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch classes"]:
        """Take the predicted probabilities."""
        return raw.detach().float().softmax(-1)

    def error(
        self, raw: Float[Tensor, "batch classes"], target: Float[Tensor, "batch classes"]
    ) -> Float[Tensor, " batch"]:
        """Compute the cross-entropy with probabilities as targets."""
        return -(target * raw.float().log_softmax(-1)).sum(-1)


Objective = Regression | Classification
"""Relates the raw outputs of a head, labels and sentiment values."""


def objective_for(name: ObjectiveName, spec: DataSpec, *, huber: float = 0.0) -> Objective:
    """Give the objective of that name for a data set; `huber` is for regression."""
    return Regression(spec, huber=huber) if name == "regression" else Classification(spec)


def concordance(predicted: Float[Tensor, " clips"], label: Float[Tensor, " clips"]) -> Float[Tensor, ""]:
    """Compute Lin's concordance correlation: 1 where both agree in correlation, mean and deviation (Lin 1989)."""
    both = predicted - predicted.mean(), label - label.mean()
    apart = (predicted.mean() - label.mean()).square()
    spread = both[0].square().mean() + both[1].square().mean() + apart
    return 2 * (both[0] * both[1]).mean() / spread.clamp(min=1e-6)


def mean_error(
    objective: Objective, raw: Float[Tensor, "batch outputs"], target: Float[Tensor, "batch outputs"]
) -> Float[Tensor, ""]:
    """Average the loss over the clips that have a target; zero where none has, with a gradient all the same."""
    known = target.isfinite().all(-1)
    # Replaced, as the derivative at an unknown target is NaN; not left out, as an accelerator would have to be awaited.
    error = objective.error(raw, target.where(known.unsqueeze(-1), 0.0))
    return (error * known).sum() / known.sum().clamp(min=1)


def read_heads(objective: Objective, raw: Mapping[str, Tensor], batch: Batch, **others: Any) -> Prediction:
    """Make a prediction of the raw outputs of the heads; the head of an absent modality gives NaN.

    Args:
        objective: What the heads are trained for.
        raw: (batch, outputs) of the multimodal head, and of each modality that has a head.
        batch: What was read.
        others: Other attributes of the prediction.
    """
    unimodal = {
        m: objective.sentiment(raw[m]).masked_fill(~batch.masks[m].any(1), torch.nan) for m in MODALITIES if m in raw
    }
    return Prediction(objective.sentiment(raw["multimodal"]), unimodal, raw, **others)


def weighted_errors(
    objective: Objective, prediction: Prediction, batch: Batch, weights: Mapping[str, float]
) -> dict[str, Tensor]:
    """Weigh the mean error of each head against its own label; a clip without the modality does not count."""
    terms = {}
    for name, raw in prediction.logits.items():
        label = batch.label
        if name != "multimodal":
            label = batch.unimodal_labels[name].masked_fill(~batch.masks[name].any(1), torch.nan)
        terms[name] = weights[name] * mean_error(objective, raw, objective.target(label))
    return terms
