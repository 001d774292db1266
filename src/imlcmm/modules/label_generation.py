"""Unimodal labels generated from the multimodal one (Yu et al. 2021, Self-MM, section 3.4)."""

from collections.abc import Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from imlcmm.errors import ModelError

SIGNS = 2  # positive clips, negative clips
TINY = 1e-8


class LabelGenerator(nn.Module):
    """Keep, for every training clip, its last features and generated labels, and the centres of both signs.

    The centres are sums that change with the clips of a batch, so a step costs the batch and not the training set.

    Attributes:
        labels: (sources, clips) generated label of each source of features; NaN before a clip was seen.
        features: (clips, features) last features of all sources, side by side.
        sums: (signs, features) float64 sums of the features of positive and of negative clips.
        counts: (signs, features) how many clips are in each sum.
    """

    labels: Tensor
    features: Tensor
    sums: Tensor
    counts: Tensor

    def __init__(self, clips: int, widths: Mapping[str, int], low: float, high: float) -> None:
        """Make room.

        Args:
            clips: Training clips.
            widths: Features of each source: "multimodal" first, then the modalities.
            low: Smallest label.
            high: Largest label.
        """
        super().__init__()
        self.sources, self.widths = list(widths), list(widths.values())
        self.low, self.high = low, high
        total = sum(self.widths)
        # Of the training alone: a published model has no use for them.
        for name, empty in (
            ("labels", torch.full((len(widths), clips), torch.nan)),
            ("features", torch.zeros(clips, total)),
            ("sums", torch.zeros(SIGNS, total, dtype=torch.float64)),
            ("counts", torch.zeros(SIGNS, total, dtype=torch.float64)),
        ):
            self.register_buffer(name, empty, persistent=False)

    def current(self, row: Int[Tensor, " batch"], label: Float[Tensor, " batch"]) -> Float[Tensor, "sources batch"]:
        """Give the labels of some clips: generated ones where there are, else the multimodal one.

        Raises:
            ModelError: If a clip has no place here.
        """
        if len(row) and row.max() >= self.labels.shape[1]:
            raise ModelError(f"clip {int(row.max())} of train has no place among {self.labels.shape[1]} labels")
        known = self.labels[:, row]
        return torch.where(known.isnan(), label, known)

    @torch.no_grad()
    def update(
        self,
        row: Int[Tensor, " batch"],
        label: Float[Tensor, " batch"],
        features: Mapping[str, Float[Tensor, "batch _"]],
        epoch: int,
    ) -> None:
        """Store the features of some clips and, from the second epoch on, move their labels (equations 8-12).

        Args:
            row: Their places in the train split, each at most once.
            label: Their multimodal labels.
            features: Their features from each source.
            epoch: Number of the epoch, from 0.
        """
        labels = self.current(row, label)
        new = torch.cat([features[s].detach() for s in self.sources], dim=-1).to(self.features.dtype)
        if epoch:
            share = 2 / (epoch + 2)
            labels = torch.cat([labels[:1], (1 - share) * labels[1:] + share * self.proposed(label, new)])
        self.count(row, -1)
        self.labels[:, row], self.features[row] = labels, new
        self.count(row, 1)

    def count(self, row: Int[Tensor, " batch"], sign: int) -> None:
        """Add some clips to the sums as they are stored (sign 1), or take them out (sign -1)."""
        labels = self.labels[:, row]
        members = torch.stack([labels > 0, labels < 0]).double()  # signs, sources, batch
        members = members.repeat_interleave(torch.tensor(self.widths, device=row.device), dim=1)
        self.sums += sign * torch.einsum("gfb,bf->gf", members, self.features[row].double())
        self.counts += sign * members.sum(-1)

    def proposed(
        self, label: Float[Tensor, " batch"], features: Float[Tensor, "batch features"]
    ) -> Float[Tensor, "unimodal batch"]:
        """Propose labels of the modalities by where their features lie between the centres."""
        centres = (self.sums / self.counts.clamp(min=1)).to(features.dtype)
        distances = [
            torch.stack([(part - centre).norm(dim=-1) for centre in centres.split(self.widths, dim=-1)[i]])
            for i, part in enumerate(features.split(self.widths, dim=-1))
        ]
        relative = torch.stack([(negative - positive) / (positive + TINY) for positive, negative in distances])
        multimodal, unimodal = relative[0], relative[1:]
        ratio = unimodal / (multimodal + TINY)
        moved = 0.5 * ratio * label + 0.5 * (label + unimodal - multimodal)
        return moved.clamp(self.low, self.high)
