"""A memory over several modalities, kept and changed by gates (Zadeh et al. 2018, "Multi-view Gated Memory")."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F


class GatedMemory(nn.Module):
    """Keep a memory over time: gates read the input and the memory, and admit what is proposed (MFN equations 7-9)."""

    def __init__(self, width: int, memory: int, hidden: tuple[int, int], dropout: tuple[float, float]) -> None:
        """Build the gates: the first keeps the memory, the second admits the proposal.

        Args:
            width: Features of the input.
            memory: Features of the memory.
            hidden: Hidden width of each gate's network.
            dropout: Dropout of each gate's network.
        """
        super().__init__()
        self.width, self.dropout = width, dropout
        self.enter = nn.ModuleList(nn.Linear(width + memory, h) for h in hidden)
        self.gate = nn.ModuleList(nn.Linear(h, memory) for h in hidden)

    def forward(
        self, entering: Float[Tensor, "steps batch width"], proposed: Float[Tensor, "steps batch memory"]
    ) -> Float[Tensor, "steps batch memory"]:
        """Give the memory after each step."""
        weights, biases = ([getattr(layer, name) for layer in self.enter] for name in ("weight", "bias"))
        outside = F.linear(entering, torch.cat([w[:, : self.width] for w in weights]), torch.cat(biases))
        inside = torch.cat([w[:, self.width :] for w in weights]).T.contiguous()
        gates = torch.block_diag(*(layer.weight for layer in self.gate)).T.contiguous()
        bias = torch.cat([layer.bias for layer in self.gate])
        kept = self._kept(outside)
        memory, memories = torch.zeros_like(proposed[0]), []
        for t, (step, proposal) in enumerate(zip(outside.unbind(0), proposed.unbind(0), strict=True)):
            hidden = torch.addmm(step, memory, inside).relu()
            if kept is not None:
                hidden = hidden * kept[t]
            keep, admit = torch.addmm(bias, hidden, gates).sigmoid().chunk(2, dim=-1)
            memory = keep * memory + admit * proposal
            memories.append(memory)
        return torch.stack(memories)

    def _kept(self, like: Tensor) -> Tensor | None:
        """Draw the dropout of all steps at once, already scaled."""
        if not self.training or not any(self.dropout):
            return None
        sizes = [layer.out_features for layer in self.enter]
        parts = torch.ones_like(like).split(sizes, dim=-1)
        return torch.cat([F.dropout(part, p) for part, p in zip(parts, self.dropout, strict=True)], dim=-1)
