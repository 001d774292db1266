"""Measure training on one CUDA device, and write the table into README.md: `make bench-gpu`, about eight minutes.

Every model trains on random batches of full length at the shapes of CH-SIMS v2 that lie on the device, in float32 and
in bfloat16 (autocast). A step that waits for the device is found by PyTorch's own check and named. Then the KAN layer
beside what others use, and an epoch on simulated clips of the paper's size with everything that a run does.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from page import write_section
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

import imlcmm
from imlcmm.models import find_model, list_models
from imlcmm.models.card import CH_SIMS_V2
from imlcmm.models.inference import beside
from imlcmm.modules.kan import KAN
from imlcmm.training.loaders import EpochLoader
from imlcmm.training.module import TrainingModule
from imlcmm.training.recipe import optimization_of, shipped_recipe
from models import random_batch

TITLE = "One CUDA device"
CLIPS, WARMUPS, REPEATS, SECONDS = 32, 3, 20, 4.0
PRECISIONS = {"float32": None, "bfloat16": torch.bfloat16}
SHAPES = {"text": (1600, 768, 128), "audio": (29600, 25, 128), "vision": (7424, 177, 128), "head": (32, 128, 64)}


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="JSON of all figures")
    options = parser.parse_args()
    if not torch.cuda.is_available():
        raise SystemExit("no CUDA device is here; the other benchmarks run on a processor")
    torch.backends.cuda.matmul.allow_tf32 = False
    found: dict[str, Any] = {"device": torch.cuda.get_device_name(), "torch": torch.__version__}
    if options.out and options.out.exists():
        found = json.loads(options.out.read_text())  # what an earlier call has measured

    parts: dict[str, Callable[[], Any]] = {
        "peak": peak_tflops,
        "models": lambda: {name: model_figures(name) for name in list_models()},
        "larger": lambda: {str(size): step_figures("IMLCMM", torch.bfloat16, size) for size in (128, 512)},
        "epoch": lambda: epochs("IMLCMM", "LF_DNN"),
        "kan": kan_figures,
    }
    for name in [part for part in parts if part not in found]:
        found[name] = parts[name]()
        if options.out:
            options.out.write_text(json.dumps(found, indent=2))
    write_section(TITLE, page(found))


def page(found: dict[str, Any]) -> list[str]:
    """Lay the figures out."""
    peak = found["peak"]
    lines = [
        f"{found['device']}; PyTorch {found['torch']}; batch {CLIPS} of full length on the device, medians of "
        f"{REPEATS} steps with the optimiser. The device reaches {peak:.0f} TFLOP/s in bfloat16 on a product of 8192³. "
        "Computing is the share of a bfloat16 step in which the device works: at this size the rest of the time goes "
        "into launching thousands of short operations. A wait is where a step reads something back from the device.",
        "",
        "| model | float32 steps/s | bfloat16 steps/s | MiB | share of the peak | computing | waits in a step |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, each in found["models"].items():
        if "failure" in each:
            lines.append(f"| {name} | {each['failure']} |")
            continue
        half, share = each["bfloat16"], each["tflop"] / each["bfloat16"]["seconds"] / peak
        waits = each["waits"] or "none"
        lines.append(
            f"| {name} | {1 / each['float32']['seconds']:.1f} | {1 / half['seconds']:.1f} | {half['mib']:,.0f} "
            f"| {share:.2%} | {each['busy']:.0%} | {waits} |"
        )
    for size, each in found["larger"].items():
        rate, memory = int(size) / each["seconds"], each["mib"]
        lines += ["", f"IMLCMM with batches of {size} in bfloat16: {rate:,.0f} clips/s, {memory:,.0f} MiB."]
    lines += ["", "| layer, forward and backward (ms) | " + " | ".join(SHAPES) + " |", "|---" * (len(SHAPES) + 1) + "|"]
    lines += [f"| {name} | " + " | ".join(f"{ms:.3f}" for ms in row) + " |" for name, row in found["kan"].items()]
    told = [f"{name} {seconds:.1f} s" for name, seconds in found["epoch"].items()]
    lines += ["", "An epoch of 2,722 simulated clips with validation, card and checkpoints: " + ", ".join(told) + "."]
    return lines


def peak_tflops(size: int = 8192) -> float:
    """Measure the device's bfloat16 product."""
    left, right = (torch.randn(size, size, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * size**3 / median_seconds(lambda: left @ right) / 1e12


def model_figures(name: str) -> dict[str, Any]:
    """Measure a model in each precision, count what it computes, and find what makes it wait."""
    try:
        figures: dict[str, Any] = {label: step_figures(name, dtype) for label, dtype in PRECISIONS.items()}
        step = training_step(name, None)
        step()
        figures["waits"] = waits(step)
        with FlopCounterMode(display=False) as counter:
            step()
        figures["tflop"] = counter.get_total_flops() / 1e12
        figures["busy"] = busy_share(training_step(name, torch.bfloat16))
    except RuntimeError as error:
        figures = {"failure": str(error).splitlines()[0]}
    print(name, json.dumps(figures), flush=True)
    return figures


def step_figures(name: str, dtype: torch.dtype | None, clips: int = CLIPS) -> dict[str, float]:
    """Time a step and take its memory."""
    step = training_step(name, dtype, clips)
    torch.cuda.reset_peak_memory_stats()
    seconds = median_seconds(step)
    return {"seconds": seconds, "mib": torch.cuda.max_memory_allocated() / 2**20}


def training_step(name: str, dtype: torch.dtype | None, clips: int = CLIPS) -> Callable[[], None]:
    """Build a model by its recipe, on the device, and give what trains it by one step."""
    recipe = shipped_recipe("simsv2", find_model(name))
    torch.manual_seed(0)
    model = recipe.build(CH_SIMS_V2).cuda().train()
    batches = [beside(model, random_batch(seed, clips)) for seed in range(2)]
    module = TrainingModule(model, optimization_of(recipe), lambda *place: EpochLoader(batches, {}))  # type: ignore[arg-type]
    optimizer = module.configure_optimizers()["optimizer"]
    model.on_epoch_start(1)

    def step() -> None:
        for number, each in enumerate(model.passes):
            model.begin_pass(each.name)
            batch = batches[number % 2]
            optimizer.zero_grad()
            with torch.autocast("cuda", dtype) if dtype else nullcontext():
                loss = torch.stack(list(model.loss(model(batch), batch).values())).sum()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return step


def waits(step: Callable[[], None]) -> str:
    """Name where a step waits for the device, as PyTorch's check tells."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    places = [f"{Path(w.filename).name}:{w.lineno}" for w in told if "synchroniz" in str(w.message)]
    return ", ".join(sorted(set(places)))


def busy_share(step: Callable[[], None], steps: int = 5) -> float:
    """Tell in which share of the time the device computes; the rest it waits for launches."""
    for _ in range(WARMUPS):
        step()
    seconds = median_seconds(step)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(steps):
            step()
        torch.cuda.synchronize()
    computing = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6 / steps
    return computing / seconds


def kan_figures() -> dict[str, list[float]]:
    """Time the KAN layer, forward and backward to weights and input, beside a dense layer and the plain recursion."""
    layers: dict[str, Callable[[int, int], nn.Module]] = {
        "KAN": lambda i, o: KAN(i, o, grid_range=(-3.0, 3.0)),
        "KAN, ordinary operations": Plain,
        "KAN, compiled": lambda i, o: torch.compile(KAN(i, o, grid_range=(-3.0, 3.0))),  # type: ignore[return-value]
        "nn.Linear": nn.Linear,
    }
    return {name: [layer_ms(build, *shape) for shape in SHAPES.values()] for name, build in layers.items()}


class Plain(KAN):
    """The layer by PyTorch's ordinary operations."""

    def __init__(self, in_features: int, out_features: int) -> None:
        """Build the layer."""
        super().__init__(in_features, out_features, grid_range=(-3.0, 3.0))

    def forward(self, x: Tensor) -> Tensor:
        """Map, and save every operation."""
        return self.forward_plain(x)


def layer_ms(build: Callable[[int, int], nn.Module], rows: int, width: int, out: int) -> float:
    """Time a layer in bfloat16."""
    layer = build(width, out).cuda()
    x = torch.randn(rows, width, device="cuda", requires_grad=True)

    def step() -> None:
        with torch.autocast("cuda", torch.bfloat16):
            layer(x).sum().backward()

    return 1000 * median_seconds(step)


def epochs(*names: str) -> dict[str, float]:
    """Train models for an epoch on simulated clips of the paper's size, as a run does; in seconds."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        data = imlcmm.load_dataset(imlcmm.simulate(Path(folder) / "store", size="paper", unlabelled=0))
        how = imlcmm.TrainerOptions(accelerator="gpu", devices=1, precision="bf16-mixed", progress=False, workers=4)
        for name in names:
            torch.manual_seed(0)
            model = getattr(imlcmm.models, name)(data.spec)
            begin = time.perf_counter()
            imlcmm.train(model, data, imlcmm.Optimization(epochs=1), folder=Path(folder) / name, trainer=how)
            seconds[name] = time.perf_counter() - begin
            print(name, "epoch", seconds[name], flush=True)
    return seconds


def median_seconds(job: Callable[[], Any]) -> float:
    """Time a job, with the device's clock awaited after each; slow ones are repeated less."""
    times: list[float] = []
    for number in range(WARMUPS + REPEATS):
        torch.cuda.synchronize()
        begin = time.perf_counter()
        job()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
        if sum(times) > SECONDS and number > WARMUPS:
            break
    return statistics.median(times[WARMUPS:])


if __name__ == "__main__":
    main()
