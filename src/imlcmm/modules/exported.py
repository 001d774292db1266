"""What recurrent layers become in a graph that is exported: loops of any length, which tracing would unroll."""

from collections.abc import Callable
from typing import no_type_check

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

_OPSET = 20


def exporting() -> bool:
    """Tell whether the model is being traced for export, not run."""
    return torch.compiler.is_exporting()


def exported_lstm(
    lstm: nn.LSTM, sequence: Float[Tensor, "batch steps width"], lengths: Int[Tensor, " batch"]
) -> tuple[Float[Tensor, "batch steps states"], Float[Tensor, "batch states"]]:
    """Give the states of every step of an LSTM with one layer, and the last ones; both directions side by side.

    Each row is read up to its length, by ONNX's own operator, so that the numbers exist in the exported graph alone.
    """
    entered = sequence.transpose(0, 1)
    steps, batch = entered.shape[:2]
    directions = 2 if lstm.bidirectional else 1
    from_input, from_state, input_bias, state_bias = (
        torch.stack([_gates(each) for each in weights]) for weights in zip(*lstm.all_weights, strict=True)
    )
    states, last = torch.onnx.ops.symbolic_multi_out(
        "LSTM",
        [entered, from_input, from_state, torch.cat([input_bias, state_bias], dim=1), lengths.int()],
        {"hidden_size": lstm.hidden_size, "direction": "bidirectional" if lstm.bidirectional else "forward"},
        dtypes=[entered.dtype, entered.dtype],
        shapes=[(steps, directions, batch, lstm.hidden_size), (directions, batch, lstm.hidden_size)],
        version=_OPSET,
    )
    return states.permute(2, 0, 1, 3).flatten(2), last.transpose(0, 1).flatten(1)


def exported_loop(
    step: Callable[[tuple[Tensor, ...], tuple[Tensor, ...]], tuple[Tensor, ...]],
    begin: tuple[Tensor, ...],
    entering: tuple[Float[Tensor, "steps ..."], ...],
) -> tuple[Float[Tensor, "steps ..."], ...]:
    """Give the states after each step.

    Args:
        step: Makes the next states from those before and from what enters; must be marked with `no_type_check`.
        begin: The states before the first step.
        entering: What enters at each step.
    """
    from torch._higher_order_ops.scan import scan

    @no_type_check  # to check types while it is traced would be an effect beside the graph
    def both(states: tuple[Tensor, ...], entered: tuple[Tensor, ...]) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        after = step(states, entered)
        return after, tuple(state.clone() for state in after)

    _, states = scan(both, begin, entering, dim=0)
    found: tuple[Tensor, ...] = states
    return found


def _gates(weights: Float[Tensor, "gates ..."]) -> Float[Tensor, "gates ..."]:
    """Put the gates in ONNX's order: input, output, forget, cell; PyTorch's is input, forget, cell, output."""
    i, f, c, o = weights.chunk(4)
    return torch.cat([i, o, f, c])
