"""LSTMs that read each clip up to its last real step."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from imlcmm.modules.exported import exported_lstm, exporting
from imlcmm.modules.lstm import run_lstm
from imlcmm.modules.pooling import last_step, steps_to_read


def pack(sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]) -> PackedSequence:
    """Leave the padding away; all steps before the last real one stay."""
    return pack_padded_sequence(sequence, steps_to_read(mask).cpu(), batch_first=True, enforce_sorted=False)


class LastState(nn.Module):
    """Encode a sequence by the last hidden state of an LSTM; of both directions, side by side, if it has two."""

    def __init__(self, width: int, hidden: int, *, bidirectional: bool = False) -> None:
        """Build the LSTM."""
        super().__init__()
        self.lstm = nn.LSTM(width, hidden, batch_first=True, bidirectional=bidirectional)

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch states"]:
        """Read each row up to its last real step."""
        if exporting():
            return exported_lstm(self.lstm, sequence, steps_to_read(mask))[1]
        if self.lstm.bidirectional:
            _, (last, _) = self.lstm(pack(sequence, mask))
            encoded: Tensor = last.transpose(0, 1).flatten(1)
            return encoded
        # What comes after the last real step does not change it, and an unpacked sequence is several times as fast.
        if self.training and not sequence.is_cuda:
            hidden, _ = run_lstm(self.lstm, sequence)
            return last_step(hidden.transpose(0, 1), mask)
        return last_step(self.lstm(sequence)[0], mask)


class StackedBiLSTM(nn.Module):
    """Encode a sequence by the last states of two bidirectional LSTMs, normalised between (Hazarika et al. 2020)."""

    def __init__(self, width: int, hidden: int) -> None:
        """Build the layers; the result has 4 · `hidden` features."""
        super().__init__()
        self.first = nn.LSTM(width, hidden, batch_first=True, bidirectional=True)
        self.norm = nn.LayerNorm(2 * hidden)
        self.second = nn.LSTM(2 * hidden, hidden, batch_first=True, bidirectional=True)

    def forward(
        self, sequence: Float[Tensor, "batch steps width"], mask: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch states"]:
        """Read each row up to its last real step."""
        if exporting():
            read, begun = exported_lstm(self.first, sequence, steps_to_read(mask))
            return torch.cat([begun, exported_lstm(self.second, self.norm(read), steps_to_read(mask))[1]], dim=1)
        states, (first, _) = self.first(pack(sequence, mask))
        _, (second, _) = self.second(states._replace(data=self.norm(states.data)))
        return torch.cat([first, second]).transpose(0, 1).flatten(1)


class ParallelLSTMs(nn.Module):
    """Run an LSTM for each modality in step, and give hidden and cell states of every step (Zadeh et al. 2018)."""

    def __init__(self, widths: Sequence[int], hidden: Sequence[int]) -> None:
        """Build one LSTM a modality."""
        super().__init__()
        self.lstms = nn.ModuleList(nn.LSTM(w, h, batch_first=True) for w, h in zip(widths, hidden, strict=True))

    def forward(
        self, sequences: Sequence[Float[Tensor, "batch steps _"]]
    ) -> tuple[Float[Tensor, "steps batch states"], Float[Tensor, "steps batch states"]]:
        """Give hidden and cell states of all steps, the modalities side by side."""
        pairs = zip(self.lstms, sequences, strict=True)
        states = [run_lstm(lstm, sequence) for lstm, sequence in pairs if isinstance(lstm, nn.LSTM)]
        hidden, cells = (torch.cat(each, dim=-1) for each in zip(*states, strict=True))
        return hidden, cells
