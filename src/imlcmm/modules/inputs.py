"""What a model reads of a batch: standardised sequences, text from cached features or from BERT."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from imlcmm.errors import ModelError
from imlcmm.modules.alignment import align
from imlcmm.modules.pooling import masked_mean
from imlcmm.modules.standardize import Standardize
from imlcmm.modules.text_encoder import TextEncoder
from imlcmm.types import MODALITIES, Batch, DataSpec


class Inputs(nn.Module):
    """Give a model the sequence of each modality; a text encoder reads the tokens in place of cached features.

    Attributes:
        widths: Features a step of each modality.
    """

    def __init__(
        self, spec: DataSpec, text_encoder: str | dict[str, Any] | None = None, *, fine_tune_text: bool = False
    ) -> None:
        """Start with features as they are; `set_statistics` gives the scale of the train split.

        Args:
            spec: Shape of the data set.
            text_encoder: Hugging Face BERT (id or folder), or its configuration; None reads cached features.
            fine_tune_text: Whether training changes the text encoder.

        Raises:
            ModelError: If the data set has not the text that is to be read.
        """
        super().__init__()
        if text_encoder is None and not spec.widths["text"]:
            raise ModelError(
                "the data set has tokens but no text features; add some, or let a model that can read the tokens with "
                "--model.text_encoder BERT"
            )
        if text_encoder is not None and "text" in spec.absent:
            raise ModelError("the data set has no text for --model.text_encoder to read; leave that out")
        self.text_encoder = None if text_encoder is None else TextEncoder(text_encoder, fine_tune=fine_tune_text)
        self.widths = dict(spec.widths)
        if self.text_encoder is not None:
            self.widths["text"] = self.text_encoder.width
        self.standardize = nn.ModuleDict({m: Standardize(self.widths[m]) for m in MODALITIES})

    def set_statistics(self, statistics: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Take mean and deviation of the features of each modality; states of a text encoder are normal already."""
        for m, standardize in self.standardize.items():
            if isinstance(standardize, Standardize) and (m != "text" or self.text_encoder is None):
                standardize.set_statistics(*statistics[m])

    @property
    def means(self) -> dict[str, np.ndarray]:
        """Give the mean of each cached feature over the train split, (width,) of each modality that is read so."""
        read = [m for m in MODALITIES if m != "text" or self.text_encoder is None]
        return {m: self.standardize[m].get_buffer("mean").cpu().numpy() for m in read}

    def forward(
        self, modality: str, batch: Batch
    ) -> tuple[Float[Tensor, "batch steps width"], Bool[Tensor, "batch steps"]]:
        """Give the standardised sequence of a modality, zero in the padding, and its mask."""
        mask = batch.masks[modality]
        sequence = self._encoded(batch) if modality == "text" else self._sequence(modality, batch)
        standardised: Tensor = self.standardize[modality](sequence, mask)
        return standardised, mask

    def mean(self, modality: str, batch: Batch) -> Float[Tensor, "batch width"]:
        """Give the mean of the standardised steps, averaged before it is standardised; zero without the modality."""
        mask = batch.masks[modality]
        mean = masked_mean(self._sequence(modality, batch), mask)
        standardised: Tensor = self.standardize[modality](mean.unsqueeze(1), mask.any(1, keepdim=True))
        return standardised.squeeze(1)

    def aligned(self, modality: str, batch: Batch, *, whole: bool = False) -> Float[Tensor, "batch text_steps width"]:
        """Give a modality averaged in windows (`align`), one for each step of the text, before it is standardised."""
        sequence, masks = self._sequence(modality, batch), batch.masks
        means, any_real = align(sequence, masks[modality], masks["text"], whole=whole)
        standardised: Tensor = self.standardize[modality](means, any_real)
        return standardised

    def text_summary(self, batch: Batch) -> Float[Tensor, "batch width"]:
        """Give one vector for the text: a text encoder's [CLS], or the mean of the cached steps.

        Feature files do not say whether their first step is a [CLS].
        """
        text, mask = self("text", batch)
        return text[:, 0] if self.text_encoder is not None else masked_mean(text, mask)

    def _sequence(self, modality: str, batch: Batch) -> Tensor:
        """Give the cached features; zeros in the width that is read, where the whole data set lacks the modality."""
        sequence = batch.sequence(modality)
        width = self.widths[modality]
        return sequence if sequence.shape[-1] == width else sequence.new_zeros(*sequence.shape[:-1], width)

    def _encoded(self, batch: Batch) -> Tensor:
        if self.text_encoder is None:
            return self._sequence("text", batch)
        states: Tensor = self.text_encoder(tokens_of(batch))
        return states


def tokens_of(batch: Batch) -> Int[Tensor, "batch 3 steps"]:
    """Give the tokens of a batch.

    Raises:
        ModelError: If the data set has none.
    """
    if batch.tokens is None:
        raise ModelError("the model reads text with a BERT, but the data set has no tokens ('text_bert')")
    return batch.tokens
