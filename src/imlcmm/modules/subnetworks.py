"""Encoders of one modality into one vector."""

from dataclasses import dataclass

from jaxtyping import Bool, Float
from torch import Tensor, nn

from imlcmm.modules.inputs import Inputs
from imlcmm.modules.recurrent import LastState
from imlcmm.types import Batch


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

    def forward(self, mean: Float[Tensor, "batch width"]) -> Float[Tensor, "batch hidden"]:
        """Encode the average of the real frames."""
        encoded: Tensor = self.layers(mean)
        return encoded


class SequenceSubnetwork(nn.Module):
    """Encode a sequence by an LSTM's last state and a dense layer (Zadeh et al. 2017, "TextSubNet")."""

    def __init__(self, width: int, hidden: int, out: int, *, bidirectional: bool = False) -> None:
        """Build the layers."""
        super().__init__()
        self.last_state = LastState(width, hidden, bidirectional=bidirectional)
        self.out = nn.Linear((1 + bidirectional) * hidden, out)

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch out"]:
        """Read up to each row's last real step."""
        encoded: Tensor = self.out(self.last_state(sequence, mask))
        return encoded


@dataclass(frozen=True)
class SubnetworkSizes:
    """How large the three encoders are.

    Attributes:
        text_hidden: Width of the text LSTM.
        text_out: Width of the text vector.
        audio_hidden: Width of the audio vector.
        vision_hidden: Width of the vision vector.
        audio_dropout: Dropout before the audio encoder.
        vision_dropout: Dropout before the vision encoder.
    """

    text_hidden: int
    text_out: int
    audio_hidden: int
    vision_hidden: int
    audio_dropout: float
    vision_dropout: float

    @property
    def widths(self) -> dict[str, int]:
        """Features of each modality's vector."""
        return {"text": self.text_out, "audio": self.audio_hidden, "vision": self.vision_hidden}


class Subnetworks(nn.Module):
    """Encode each modality to one vector: text by an LSTM, audio and vision by their time average."""

    def __init__(self, widths: dict[str, int], sizes: SubnetworkSizes) -> None:
        """Build the three encoders; `widths` are the features a step of each modality."""
        super().__init__()
        self.text = SequenceSubnetwork(widths["text"], sizes.text_hidden, sizes.text_out)
        self.audio = AverageSubnetwork(widths["audio"], sizes.audio_hidden, sizes.audio_dropout)
        self.vision = AverageSubnetwork(widths["vision"], sizes.vision_hidden, sizes.vision_dropout)

    def forward(self, inputs: Inputs, batch: Batch) -> dict[str, Float[Tensor, "batch width"]]:
        """Give the vector of each modality."""
        means = {m: getattr(self, m)(inputs.mean(m, batch)) for m in ("audio", "vision")}
        return {"text": self.text(*inputs("text", batch)), **means}
