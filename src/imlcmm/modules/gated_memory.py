"""A memory over several modalities, kept and changed by gates (Zadeh et al. 2018, "Multi-view Gated Memory")."""

from typing import Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from imlcmm.modules.dropout import drop
from imlcmm.modules.exported import exported_loop, exporting
from imlcmm.modules.linear import linear


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
        outside = linear(
            entering, torch.cat([w[:, : self.width] for w in weights]), torch.cat(biases), training=self.training
        )
        inside = torch.cat([w[:, self.width :] for w in weights]).T.contiguous()
        outside, proposed = (x.to(inside.dtype) for x in (outside, proposed))  # autocast may have narrowed them
        keep, keep_bias, admit, admit_bias = (p for layer in self.gate for p in layer.parameters())
        gates = (keep.T.contiguous(), keep_bias, admit.T.contiguous(), admit_bias)
        if exporting():
            return self._exported(outside, proposed, inside)
        memories: Tensor = _Recurrence.apply(outside, proposed, self._kept(outside), inside, *gates)
        return memories

    def _exported(self, outside: Tensor, proposed: Tensor, inside: Tensor) -> Tensor:
        """Give the memories as `_Recurrence` does without dropout."""

        @no_type_check
        def step(memory: tuple[Tensor, ...], entering: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
            hidden = (entering[0] + memory[0] @ inside).relu().split([layer.out_features for layer in self.enter], -1)
            keep, admit = (gate(part).sigmoid() for gate, part in zip(self.gate, hidden, strict=True))
            return (keep * memory[0] + admit * entering[1],)

        return exported_loop(step, (torch.zeros_like(proposed[0]),), (outside, proposed))[0]

    def _kept(self, like: Tensor) -> Tensor | None:
        """Draw the dropout of all steps at once, already scaled."""
        if not self.training or not any(self.dropout):
            return None
        sizes = [layer.out_features for layer in self.enter]
        parts = torch.ones_like(like).split(sizes, dim=-1)
        return torch.cat([drop(part, p) for part, p in zip(parts, self.dropout, strict=True)], dim=-1)


class _Recurrence(torch.autograd.Function):
    """m(t) = keep · m(t-1) + admit · proposal(t); each weight gets its gradient by one product after the loop."""

    @staticmethod
    def forward(
        ctx: Any,
        outside: Tensor,
        proposed: Tensor,
        kept: Tensor | None,
        inside: Tensor,
        keep: Tensor,
        keep_bias: Tensor,
        admit: Tensor,
        admit_bias: Tensor,
    ) -> Tensor:
        (steps, batch, width), border = proposed.shape, len(keep)
        hidden, memories, memory = torch.empty_like(outside), torch.empty_like(proposed), torch.zeros_like(proposed[0])
        opened = proposed.new_empty(steps, 2, batch, width)
        for t in range(steps):
            torch.addmm(outside[t], memory, inside, out=hidden[t]).relu_()
            if kept is not None:
                hidden[t].mul_(kept[t])
            torch.addmm(keep_bias, hidden[t, :, :border], keep, out=opened[t, 0])
            torch.addmm(admit_bias, hidden[t, :, border:], admit, out=opened[t, 1])
            opened[t].sigmoid_()
            memory = torch.mul(opened[t, 0], memory, out=memories[t]).addcmul_(opened[t, 1], proposed[t])
        ctx.save_for_backward(proposed, kept, inside, keep, admit, hidden, opened, memories)
        return memories

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor | None, ...]:
        proposed, kept, inside, keep, admit, hidden, opened, memories = ctx.saved_tensors
        border = len(keep)
        before = torch.cat([torch.zeros_like(memories[:1]), memories[:-1]])
        to_gates = torch.stack([before, proposed], dim=1) * opened * (1 - opened)
        to_hidden = hidden > 0 if kept is None else kept * (hidden > 0)
        of_memory, of_gates, of_hidden = slope.clone(), torch.empty_like(opened), torch.empty_like(hidden)
        for t in range(len(slope) - 1, -1, -1):
            torch.mul(of_memory[t], to_gates[t], out=of_gates[t])
            torch.mm(of_gates[t, 0], keep.T, out=of_hidden[t, :, :border])
            torch.mm(of_gates[t, 1], admit.T, out=of_hidden[t, :, border:])
            of_hidden[t].mul_(to_hidden[t])
            if t:
                of_memory[t - 1].addcmul_(of_memory[t], opened[t, 0]).addmm_(of_hidden[t], inside.T)
        of_keep, of_admit = (of_gates[:, each].flatten(0, 1) for each in range(2))
        flat = hidden.flatten(0, 1)
        return (
            of_hidden,
            of_memory * opened[:, 1],
            None,
            before.flatten(0, 1).T @ of_hidden.flatten(0, 1),
            flat[:, :border].T @ of_keep,
            of_keep.sum(0),
            flat[:, border:].T @ of_admit,
            of_admit.sum(0),
        )
