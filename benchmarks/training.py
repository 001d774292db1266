"""Measure IML-CMM's training step with and without its parts in C, turn by turn, and write README.md's table.

    python benchmarks/training.py [--threads 1] [--repeats 7]

Batches of 32 random clips of full length at the shapes of CH-SIMS v2. Where the processor or a compiler is missing,
both columns are PyTorch's, and the script says so.
"""

import argparse
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from page import processor, write_section

from imlcmm.models import find_model
from imlcmm.models.base import SentimentModel
from imlcmm.models.card import CH_SIMS_V2
from imlcmm.modules.native import kan_layer, linear_layer, small_heads
from imlcmm.training.recipe import shipped_recipe
from imlcmm.types import Batch
from models import random_batch

TITLE = "IML-CMM's training step in C"
MODULES = (small_heads, kan_layer, linear_layer)
PARTS = (1.0, 0.5, 0.25)


def main() -> None:
    """Measure each part of the batch that is mixed, with PyTorch alone and with the C code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if small_heads._library() is None:
        parser.error("the C code needs a processor with AMX, and a compiler")
    batch, lines = random_batch(0), []
    for part in PARTS:
        model = shipped_recipe("simsv2", find_model("IMLCMM")).build(CH_SIMS_V2).train()
        model.mixup_part = part  # type: ignore[assignment]
        model.on_epoch_start(1)
        optimizer = torch.optim.AdamW(model.parameters(), fused=True)
        times: dict[bool, list[float]] = {True: [], False: []}
        for turn in range(options.repeats + 1):
            for native, found in times.items():
                with in_c(native):
                    seconds = step(model, optimizer, batch)
                if turn:
                    found.append(seconds)
        ours, theirs = (1000 * statistics.median(times[native]) for native in (True, False))
        lines.append(f"| {part:g} | {theirs:,.0f} | {ours:,.0f} | {theirs / ours:.2f}x |")
        print(lines[-1], flush=True)
    write_section(
        TITLE,
        [
            f"{processor()}; PyTorch {torch.__version__}, {options.threads} thread; batch 32 of full length; medians "
            f"of {options.repeats} steps, turn by turn.",
            "",
            "| mixup_part | PyTorch (ms) | attention, KAN and linear layers in C (ms) | faster |",
            "|---|---|---|---|",
            *lines,
        ],
    )


@contextmanager
def in_c(on: bool) -> Iterator[None]:
    """Use the C code inside the block, or not."""
    whole = [module._library for module in MODULES]
    if not on:
        for module in MODULES:
            module._library = lambda: None  # type: ignore[assignment]
    try:
        yield
    finally:
        for module, library in zip(MODULES, whole, strict=True):
            module._library = library  # type: ignore[assignment]


def step(model: SentimentModel, optimizer: torch.optim.Optimizer, batch: Batch) -> float:
    """Take one step, and give its seconds."""
    begin = time.perf_counter()
    optimizer.zero_grad()
    torch.stack(list(model.loss(model(batch), batch).values())).sum().backward()
    optimizer.step()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
