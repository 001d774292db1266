"""What the tests of the C code share."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn


def with_gradients(layer: nn.Module, x: Tensor, slope: Tensor) -> tuple[Tensor, ...]:
    """Give a layer's result, and the gradients of its input and its parameters."""
    x = x.clone().requires_grad_()
    y = layer(x)
    return y.detach(), *torch.autograd.grad(y, (x, *layer.parameters()), slope)


def same_on_threads(compute: Callable[[], Sequence[Tensor]]) -> bool:
    """Tell whether one thread and three give the same bits."""
    found, before = [], torch.get_num_threads()
    for threads in (1, 3):
        torch.set_num_threads(threads)
        found.append(compute())
    torch.set_num_threads(before)
    return all(map(torch.equal, *found))
