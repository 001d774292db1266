"""MFN: memory fusion network."""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.models.base import SentimentModel
from imlcmm.models.search import Choice, Range
from imlcmm.modules.dropout import Dropout
from imlcmm.modules.gated_memory import GatedMemory
from imlcmm.modules.linear import Linear
from imlcmm.modules.pooling import last_step
from imlcmm.modules.recurrent import ParallelLSTMs
from imlcmm.types import MODALITIES, Batch, DataSpec, Prediction


def with_previous(states: Tensor) -> Tensor:
    """Put the states of the step before, at first zeros, beside those of each step; (steps, batch, 2 · states)."""
    return torch.cat([F.pad(states, (0, 0, 0, 0, 1, -1)), states], dim=-1)


class MFN(SentimentModel):
    """Run an LSTM a modality in step, attend to changes of their cells, and keep what matters in a shared memory.

    Audio and vision are averaged in windows side by side to the steps of the text, and the state after the last real
    step is read. Where the words do not divide the frames, neighbouring windows share a frame; those of the reference
    are of whole frames, the last one repeated (`whole_windows`). It averages audio and vision over the whole clip
    first, so that it sees them constant (`constant_audio_vision`), and reads the state at the end of the padding.
    """

    paper: ClassVar = (
        "Zadeh, Liang, Mazumder, Poria, Cambria, Morency: Memory Fusion Network for Multi-view Sequential Learning "
        "(AAAI 2018)"
    )
    search_space: ClassVar = {
        "text_hidden": Choice((32, 64, 128)),
        "audio_hidden": Choice((8, 16, 32)),
        "vision_hidden": Choice((32, 64, 128)),
        "memory": Choice((64, 128, 256, 400)),
        "out_dropout": Range(0.0, 0.7),
    }

    def __init__(
        self,
        spec: DataSpec,
        *,
        text_hidden: int = 128,
        audio_hidden: int = 16,
        vision_hidden: int = 128,
        memory: int = 400,
        attention_hidden: int = 32,
        attention_dropout: float = 0.2,
        proposal_hidden: int = 128,
        proposal_dropout: float = 0.5,
        keep_hidden: int = 32,
        keep_dropout: float = 0.5,
        admit_hidden: int = 32,
        admit_dropout: float = 0.2,
        out_hidden: int = 64,
        out_dropout: float = 0.2,
        constant_audio_vision: bool = False,
        whole_windows: bool = False,
    ) -> None:
        """Build the layers.

        Args:
            spec: Shape of the data set.
            text_hidden: Width of the text LSTM.
            audio_hidden: Width of the audio LSTM.
            vision_hidden: Width of the vision LSTM.
            memory: Width of the memory.
            attention_hidden: Hidden width of the network that attends to the cells.
            attention_dropout: Its dropout.
            proposal_hidden: Hidden width of the network that proposes a memory.
            proposal_dropout: Its dropout.
            keep_hidden: Hidden width of the gate that keeps the memory (γ1).
            keep_dropout: Its dropout.
            admit_hidden: Hidden width of the gate that admits the proposal (γ2).
            admit_dropout: Its dropout.
            out_hidden: Hidden width of the regressor.
            out_dropout: Its dropout.
            constant_audio_vision: Average audio and vision over the clip and repeat them, as the reference does.
            whole_windows: Let windows have equally many frames, rounded up, the last one repeated where they are
                too few, as in the reference.
        """
        super().__init__(spec)
        hidden = (text_hidden, audio_hidden, vision_hidden)
        states = sum(hidden)
        self.constant_audio_vision, self.whole_windows = constant_audio_vision, whole_windows
        self.lstms = ParallelLSTMs([self.inputs.widths[m] for m in MODALITIES], hidden)
        self.attention = two_layers(2 * states, attention_hidden, 2 * states, attention_dropout)
        self.proposal = two_layers(2 * states, proposal_hidden, memory, proposal_dropout)
        self.memory = GatedMemory(2 * states, memory, (keep_hidden, admit_hidden), (keep_dropout, admit_dropout))
        self.head = two_layers(states + memory, out_hidden, 1, out_dropout)

    def forward(self, batch: Batch) -> Prediction:
        """Run the LSTMs, attend to their cells two steps at a time, and update the memory."""
        hidden, cells = self.lstms(self.aligned(batch))
        window = with_previous(cells)
        attended = self.attention(window).softmax(-1) * window
        memory = self.memory(attended, self.proposal(attended).tanh())
        final = last_step(torch.cat([hidden, memory], dim=-1).transpose(0, 1), batch.masks["text"])
        return Prediction(self.spec.sentiment(self.head(final).squeeze(-1)))

    def aligned(self, batch: Batch) -> list[Tensor]:
        """Give the modalities with the same steps, (batch, text steps, width) each."""
        text, _ = self.inputs("text", batch)
        if self.constant_audio_vision:
            means = (self.inputs.mean(m, batch) for m in ("audio", "vision"))
            return [text, *(mean.unsqueeze(1).expand(-1, text.shape[1], -1) for mean in means)]
        return [text, *(self.inputs.aligned(m, batch, whole=self.whole_windows) for m in ("audio", "vision"))]


def two_layers(width: int, hidden: int, out: int, dropout: float) -> nn.Sequential:
    """Build two dense layers with ReLU and dropout between."""
    return nn.Sequential(Linear(width, hidden), nn.ReLU(), Dropout(dropout), Linear(hidden, out))
