"""An LSTM written for training on a CPU (Hochreiter and Schmidhuber 1997).

The inputs of all steps are one product before the loop, and the gradient of the recurrent weights is one product after
it. The gradient of the inputs is computed only where something asks for it.
"""

from functools import partial
from typing import Any, no_type_check

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from imlcmm.modules.exported import exported_loop, exporting
from imlcmm.modules.linear import linear


def run_lstm(
    lstm: nn.LSTM, sequence: Float[Tensor, "batch steps width"]
) -> tuple[Float[Tensor, "steps batch hidden"], Float[Tensor, "steps batch hidden"]]:
    """Give the hidden and the cell states of every step of a one-way LSTM with one layer."""
    from_input, from_state, input_bias, state_bias = lstm.all_weights[0]
    entered = linear(sequence, from_input, input_bias + state_bias, training=lstm.training)
    entered = entered.transpose(0, 1).to(from_state.dtype)
    if exporting():
        begin = entered.new_zeros(entered.shape[1], lstm.hidden_size)
        hidden, cells = exported_loop(partial(_step, from_state), (begin, begin.clone()), (entered,))
        return hidden, cells
    hidden, cells = _Recurrence.apply(entered, from_state.T)
    return hidden, cells


@no_type_check
def _step(from_state: Tensor, states: tuple[Tensor, ...], entering: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    """Give h(t) and c(t) from those before and from what enters the gates."""
    i, f, g, o = (entering[0] + states[0] @ from_state.T).chunk(4, dim=-1)
    cell = f.sigmoid() * states[1] + i.sigmoid() * g.tanh()
    return o.sigmoid() * cell.tanh(), cell


class _Recurrence(torch.autograd.Function):
    """h(t), c(t) from what entered the gates at step t, and the product of h(t-1) with the recurrent weights."""

    @staticmethod
    def forward(ctx: Any, entered: Tensor, recurrent: Tensor) -> tuple[Tensor, Tensor]:
        steps, batch, width = entered.shape[0], entered.shape[1], recurrent.shape[0]
        gates = entered.new_empty(steps, batch, 4 * width)
        hidden, cells = entered.new_empty(2, steps, batch, width)
        state = cell = entered.new_zeros(batch, width)
        for entering, gate, next_state, next_cell in zip(entered, gates, hidden, cells, strict=True):
            torch.addmm(entering, state, recurrent, out=gate)
            i, f, g, o = gate.chunk(4, dim=-1)
            g.tanh_()
            gate[:, : 2 * width].sigmoid_()
            o.sigmoid_()
            torch.mul(f, cell, out=next_cell).addcmul_(i, g)
            torch.tanh(next_cell, out=next_state).mul_(o)
            state, cell = next_state, next_cell
        ctx.save_for_backward(gates, hidden, cells, recurrent)
        return hidden, cells

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, hidden_grad: Tensor, cells_grad: Tensor) -> tuple[Tensor, Tensor]:
        gates, hidden, cells, recurrent = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, dim=-1)
        before = torch.cat([torch.zeros_like(cells[:1]), cells[:-1]])
        bounded = cells.tanh()
        # What each gate hands on: three of them the gradient of the cell, the last that of the hidden state.
        from_cell = torch.stack([g * i * (1 - i), before * f * (1 - f), i * (1 - g * g)], dim=-2)
        from_hidden = bounded * o * (1 - o)
        to_cell = o * (1 - bounded * bounded)
        grads = torch.empty_like(gates)
        back = recurrent.T
        cell_grad = torch.zeros_like(cells[0])
        for t in range(len(gates) - 1, -1, -1):
            later = t + 1 < len(gates)
            state_grad = torch.addmm(hidden_grad[t], grads[t + 1], back) if later else hidden_grad[t]
            cell_grad = (
                (cell_grad * f[t + 1] if later else cell_grad).add_(cells_grad[t]).addcmul_(state_grad, to_cell[t])
            )
            by_gate = grads[t].unflatten(-1, (4, -1))
            torch.mul(cell_grad.unsqueeze(-2), from_cell[t], out=by_gate[:, :3])
            torch.mul(state_grad, from_hidden[t], out=by_gate[:, 3])
        return grads, hidden[:-1].flatten(0, 1).T @ grads[1:].flatten(0, 1)
