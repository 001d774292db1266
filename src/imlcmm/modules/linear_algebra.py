"""What PyTorch's arithmetic on the CPU can be told: which float32 product it takes, and what it does near zero."""

import ctypes
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch

logger = logging.getLogger(__name__)

# Float32 products of depth 4096 err by about 5e-7; rounding to bfloat16 would err by 2e-3.
ERROR_LIMIT = 3e-6
# OpenMP 5.0: give the threads up, and keep what they know.
_SOFT_PAUSE = 1


def use_onednn_matmul(enabled: bool = True) -> bool:
    """Send float32 matrix products on the CPU to oneDNN, where that keeps float32 accuracy, or back to the default.

    oneDNN uses AVX-512 on processors where PyTorch's default product stays with AVX2. PyTorch offers it under the
    name of a bfloat16 mode: without AMX units oneDNN still computes in float32. So the switch refuses where the
    processor has AMX or where the measured error is not float32's. It holds for the process and is off unless called.

    Args:
        enabled: False restores PyTorch's default.

    Returns:
        Whether oneDNN is in use now; the reason is logged.
    """
    settings = getattr(torch.backends.mkldnn, "matmul", None)
    if settings is None or not hasattr(settings, "fp32_precision") or not torch.backends.mkldnn.is_available():
        logger.info("float32 matrix products: PyTorch's default, this build offers no oneDNN switch")
        return False
    settings.fp32_precision = "none"
    if not enabled:
        return False
    if has_amx():
        logger.info("float32 matrix products: PyTorch's default, because AMX would round to bfloat16")
        return False
    settings.fp32_precision = "bf16"
    error = matmul_error()
    if not error < ERROR_LIMIT:
        settings.fp32_precision = "none"
        logger.info("float32 matrix products: PyTorch's default, because oneDNN's relative error is %.1e", error)
        return False
    logger.info("float32 matrix products: oneDNN, measured relative error %.1e", error)
    return True


@contextmanager
def zero_denormals() -> Iterator[None]:
    """Take numbers below 1e-38 for zero inside the block.

    Processors handle each of them by a detour of a hundred cycles, and gradients that fade over the steps of an LSTM
    are full of them: a training step of MISA takes eight times as long.
    """
    _set_denormals(to_zero=True)
    try:
        yield
    finally:
        _set_denormals(to_zero=False)


def _set_denormals(*, to_zero: bool) -> None:
    """Tell this thread, and let PyTorch's others begin anew: they take over what the thread has that starts them."""
    torch.set_flush_denormal(to_zero)
    with suppress(OSError, AttributeError):  # another OpenMP's threads, where there are any, stay as they are
        ctypes.CDLL("libgomp.so.1").omp_pause_resource_all(_SOFT_PAUSE)


def matmul_error(depth: int = 4096) -> float:
    """Measure the relative error of a float32 product against float64 on fixed random matrices."""
    generator = torch.Generator().manual_seed(0)
    left, right = (torch.randn(64, depth, generator=generator) for _ in range(2))
    exact = left.double() @ right.double().t()
    return float(((left @ right.t()).double() - exact).norm() / exact.norm())


def has_amx(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Tell whether the system reports matrix units (AMX); False where it reports nothing, then only the error decides.

    Args:
        cpuinfo: Where Linux lists the processor's features.
    """
    return cpuinfo.is_file() and "amx_tile" in cpuinfo.read_text(errors="replace")
