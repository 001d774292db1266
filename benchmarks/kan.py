"""Compare the KAN layer with its peers side by side, and write the table into README.md beside this file.

    OMP_NUM_THREADS=1 python benchmarks/kan.py            # process time on one thread, PyTorch's own matrix product
    OMP_NUM_THREADS=1 python benchmarks/kan.py --onednn   # every candidate with oneDNN's product

The candidates take turns within one process, so that a busy moment of the machine falls on all of them. flashkan and
inkan are compared where they are installed (`pip install --no-deps flashkan inkan`).
"""

import argparse
import copy
import ctypes
import importlib
import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from page import processor, resident, write_section
from torch import Tensor, nn
from torch.nn import functional as F

from imlcmm.modules.kan import KAN
from imlcmm.modules.linear_algebra import use_onednn_matmul
from imlcmm.modules.mlp import EqualSizeMLP
from imlcmm.modules.native import kan_layer

PASSES = ("forward", "to weights", "to x too")


class Case(NamedTuple):
    """One projection of the model at batch size 32."""

    name: str
    rows: int
    inputs: int
    outputs: int


CASES = (
    Case("text", 1600, 768, 128),
    Case("audio", 29600, 25, 128),
    Case("vision", 7424, 177, 128),
    Case("head", 32, 128, 64),
)


class RecursiveKAN(nn.Module):
    """Compute the same function in the manner of efficient-kan: Cox-de Boor passes over (rows, inputs, knots).

    It is written for this benchmark and stands in for efficient-kan, which is not on the package index.
    """

    knots: Tensor

    def __init__(self, inputs: int, outputs: int, size: int = 5, order: int = 3) -> None:
        """Build the layer on the range from -1 to 1."""
        super().__init__()
        self.order = order
        knots = torch.arange(-order, size + order + 1) * (2 / size) - 1
        self.register_buffer("knots", knots.expand(inputs, -1).contiguous())
        self.base = nn.Parameter(torch.randn(outputs, inputs) / math.sqrt(inputs))
        self.spline = nn.Parameter(torch.randn(outputs, inputs, size + order) * 0.1 / math.sqrt(inputs))

    def forward(self, x: Tensor) -> Tensor:
        """Map (rows, inputs) to (rows, outputs)."""
        t, spread = self.knots, x.unsqueeze(-1)
        bases = ((spread >= t[:, :-1]) & (spread < t[:, 1:])).to(x.dtype)
        for p in range(1, self.order + 1):
            rising = (spread - t[:, : -p - 1]) / (t[:, p:-1] - t[:, : -p - 1]) * bases[:, :, :-1]
            falling = (t[:, p + 1 :] - spread) / (t[:, p + 1 :] - t[:, 1:-p]) * bases[:, :, 1:]
            bases = rising + falling
        return F.linear(F.silu(x), self.base) + F.linear(bases.flatten(1), self.spline.flatten(1))


def candidates(case: Case) -> dict[str, nn.Module]:
    """Build every layer that is at hand for one case."""
    size = (case.inputs, case.outputs)
    found: dict[str, nn.Module] = {
        "imlcmm KAN": KAN(*size),
        "nn.Linear": nn.Linear(*size),
        "MLP of equal parameters": EqualSizeMLP(*size, slots=9),
        "Cox-de Boor recursion": RecursiveKAN(*size),
    }
    for package in ("flashkan", "inkan"):
        try:
            found[package] = importlib.import_module(package).KANLayer(*size)
        except ImportError:
            continue
    return found


def jobs(layer: nn.Module, case: Case) -> list[Callable[[], object]]:
    """Return the three passes that are timed."""
    x, gy = torch.randn(case.rows, case.inputs), torch.randn(case.rows, case.outputs)
    wanted = x.clone().requires_grad_()

    def forward() -> None:
        with torch.no_grad():
            layer(x)

    return [forward, lambda: layer(x).backward(gy), lambda: layer(wanted).backward(gy)]


def times(case: Case, repeats: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Return the median milliseconds of each candidate's passes, taken in turns."""
    work = {name: jobs(layer, case) for name, layer in candidates(case).items()}
    samples: dict[str, list[list[float]]] = {name: [[], [], []] for name in work}
    repeats = repeats * 20 if case.rows < 100 else repeats
    for turn in range(repeats + 1):
        for name, passes in work.items():
            for place, job in enumerate(passes):
                start = clock()
                job()
                if turn:  # the first turn warms up and compiles
                    samples[name][place].append((clock() - start) * 1e3)
    return {name: [statistics.median(s) for s in lists] for name, lists in samples.items()}


def peak_memory(layer: nn.Module, case: Case) -> float | None:
    """Measure how far one forward and backward pass to x raises resident memory, in MB; None where Linux is absent."""
    job = jobs(layer, case)[2]
    job()
    try:
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the high-water mark
        before = resident("VmRSS")
        job()
        return resident("VmHWM") - before
    except OSError:
        return None


@torch.no_grad()
def error(layer: nn.Module, case: Case) -> float | None:
    """Return the largest error against the same layer in float64, relative to the output's deviation."""
    x = torch.randn(min(case.rows, 2000), case.inputs)
    try:
        exact = copy.deepcopy(layer).double()(x.double())
    except (RuntimeError, TypeError):
        return None
    return float((layer(x).double() - exact).abs().max() / exact.std())


def table(repeats: int, clock: Callable[[], float]) -> list[str]:
    """Measure everything and lay it out, one row a candidate."""
    measured = {case.name: times(case, repeats, clock) for case in CASES}
    text, layers = CASES[0], candidates(CASES[0])
    head = " | ".join(f"{case.name} {case.rows} x {case.inputs} → {case.outputs}" for case in CASES)
    lines = [f"| layer | {head} | peak memory, text | error, text |", "|---" * (len(CASES) + 3) + "|"]
    for name, layer in layers.items():
        cells = [" / ".join(f"{ms:.3g}" for ms in measured[case.name][name]) for case in CASES]
        memory, wrong = peak_memory(layer, text), error(layer, text)
        cells += ["–" if memory is None else f"{memory:.0f} MB", "–" if wrong is None else f"{wrong:.1e}"]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += ["", "Time of the peer over time of `imlcmm KAN`:", ""]
    lines += [f"| peer | {' | '.join(case.name for case in CASES)} |", "|---" * (len(CASES) + 1) + "|"]
    for name in [n for n in layers if n != "imlcmm KAN"]:
        cells = [_ratios(measured[case.name][name], measured[case.name]["imlcmm KAN"]) for case in CASES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def _ratios(peer: list[float], ours: list[float]) -> str:
    """Write how many times longer the peer takes, pass by pass."""
    return " / ".join(f"{a / b:.2g}" for a, b in zip(peer, ours, strict=True))


def main() -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--onednn", action="store_true", help="oneDNN's float32 product for every candidate")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    product = "oneDNN's float32 product" if use_onednn_matmul(options.onednn) else "PyTorch's own float32 product"
    tunables = os.environ.get("GLIBC_TUNABLES")
    clock, meaning = (
        (time.process_time, "process time") if options.threads == 1 else (time.perf_counter, "wall-clock time")
    )
    allocator = f"allocator tuned ({tunables})" if tunables else "default allocator"
    threads = "one thread" if options.threads == 1 else f"{options.threads} threads"
    lines = [
        f"{processor()}; PyTorch {torch.__version__}; {meaning}, median of {options.repeats} turns (head: "
        f"{20 * options.repeats}), in ms: {' / '.join(PASSES)}.",
        "",
        *table(options.repeats, clock),
    ]
    layer = "KAN layer in C" if kan_layer._library() else "KAN layer of PyTorch's operations"
    write_section(f"{layer}: {threads}, {product}, {'tuned' if tunables else 'default'} allocator", lines)
    print("\n".join([allocator, *lines]))


if __name__ == "__main__":
    main()
