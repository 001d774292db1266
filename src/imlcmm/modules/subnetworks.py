"""The encoders of one modality that the LF_DNN, TFN and LMF families share."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence


class AverageSubnetwork(nn.Module):
    """Encode the time average of a modality by three dense layers (Zadeh et al. 2017, "SubNet")."""

    def __init__(self, width: int, hidden: int, dropout: float) -> None:
        """Build the layers."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm1d(width),
            nn.Dropout(dropout),
            *(layer for size in (width, hidden, hidden) for layer in (nn.Linear(size, hidden), nn.ReLU())),
        )

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch hidden"]:
        """Average the real frames and encode the result; an absent modality averages to zero."""
        total = (sequence * mask.unsqueeze(-1)).sum(1)
        encoded: Tensor = self.layers(total / mask.sum(1, keepdim=True).clamp(min=1))
        return encoded


class TextSubnetwork(nn.Module):
    """Encode text features by the last state of an LSTM over the real steps (Zadeh et al. 2017, "TextSubNet")."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        """Build the layers."""
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True)
        self.out = nn.Linear(hidden, out)

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch out"]:
        """Read up to each row's last real step; an absent text is read as one step of zeros."""
        last_real = (mask * torch.arange(1, mask.shape[1] + 1, device=mask.device)).amax(1).clamp(min=1)
        real = sequence * mask.unsqueeze(-1)
        packed = pack_padded_sequence(real, last_real.cpu(), batch_first=True, enforce_sorted=False)
        _, (last, _) = self.lstm(packed)
        encoded: Tensor = self.out(last[-1])
        return encoded
