"""Building a network without memory, to see whether it is what its weight file holds before it is built in earnest."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.nn.modules.module import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)

from imlcmm.errors import ImlcmmError

_MOST_PARTS = 20
_SPARE_PARTS = 1000
_SPARE_ELEMENTS = 1 << 28
"""Numbers that buffers may hold which no file keeps, such as a memory of all training clips: 1 GiB of them."""


def stored_shapes(file: Path) -> dict[str, tuple[int, ...]]:
    """Read the shapes of a safetensors file's tensors from its header, which the library checks against its size.

    Raises:
        ValueError: If it is no intact safetensors file.
    """
    try:
        with safe_open(file, framework="numpy") as stored:
            return {name: tuple(stored.get_slice(name).get_shape()) for name in stored.keys()}  # noqa: SIM118
    except (SafetensorError, OverflowError) as error:
        raise ValueError(f"is no intact safetensors file ({error})") from error


def dry_run(build: Callable[[], nn.Module], files: dict[str, tuple[int, ...]]) -> nn.Module:
    """Build a network on no device, and stop as soon as it is far larger than the tensors that a file holds.

    Args:
        build: Makes the network.
        files: Shapes of the stored tensors.

    Raises:
        ValueError: If it is larger, or cannot be built.
    """
    stored = sum(torch.Size(shape).numel() for shape in files.values())
    try:
        with torch.device("meta"), _budget(len(files), stored):
            return build()
    except (ImlcmmError, RuntimeError, TypeError, ArithmeticError, LookupError, AttributeError, MemoryError) as error:
        raise ValueError(f"cannot be built ({' '.join(str(error).split())[:120]})") from error


def check_shapes(network: nn.Module, stored: dict[str, tuple[int, ...]]) -> None:
    """Compare a network, tensor by tensor, with what a file holds; of tensors that are one, one name is enough.

    Raises:
        ValueError: Naming the first tensor that differs.
    """
    wanted: dict[str, Tensor] = network.state_dict(keep_vars=True)
    there = {id(tensor) for name, tensor in wanted.items() if name in stored}
    for name, tensor in wanted.items():
        if name not in stored and id(tensor) not in there:
            raise ValueError(f"lacks the weight '{name}'")
        if name in stored and stored[name] != tuple(tensor.shape):
            raise ValueError(f"holds '{name}' in the shape {stored[name]} instead of {tuple(tensor.shape)}")
    surplus = sorted(set(stored) - set(wanted))
    if surplus:
        raise ValueError(f"holds '{surplus[0]}', which the model does not have")


@contextmanager
def _budget(tensors: int, elements: int) -> Iterator[None]:
    """Count what networks register, and stop at many times what is stored: sizes that a file claims may be absurd."""
    parts, numbers = 0, 0

    def count(module: nn.Module, name: str, part: Any) -> None:
        nonlocal parts, numbers
        parts += 1
        numbers += part.numel() if isinstance(part, Tensor) else 0
        if parts > _MOST_PARTS * tensors + _SPARE_PARTS or numbers > 2 * elements + _SPARE_ELEMENTS:
            raise ValueError("describes a network far larger than its weights")

    with ExitStack() as hooks:
        for register in (
            register_module_parameter_registration_hook,
            register_module_buffer_registration_hook,
            register_module_module_registration_hook,
        ):
            hooks.callback(register(count).remove)
        yield
