"""Measure a training step and prediction of every model at the shapes of CH-SIMS v2, and write README.md's table.

    python3 -m venv ENV && ENV/bin/pip install torch==2.13.0 && ENV/bin/pip install mmsa==2.2.1
    python benchmarks/models.py --reference ENV/bin/python

Each model is measured in a process of its own, and right after it the same model of MMSA, where that runs. Text is
cached in both. Batches of 32 random clips of full length lie in memory before the clock starts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import torch
from page import processor, write_section

from imlcmm.models import find_model, list_models
from imlcmm.models.card import CH_SIMS_V2
from imlcmm.modules.linear_algebra import zero_denormals
from imlcmm.training.loaders import EpochLoader
from imlcmm.training.module import TrainingModule
from imlcmm.training.recipe import optimization_of, shipped_recipe
from imlcmm.types import MODALITIES, Batch

TITLE = "Models at the size of CH-SIMS v2, beside MMSA 2.2.1"
IN_REFERENCE = ("LF_DNN", "TFN", "LMF", "MFN", "Graph_MFN", "MulT", "MLF_DNN", "MTFN", "MLMF")
NOTE = (
    "Where a model reads no more of audio and vision than their mean over time, both average them while they load. "
    "MMSA standardises nothing; our models standardise the text of every batch."
)
CLIPS, WARMUPS, SECONDS = 32, 2, 60.0


def main() -> None:
    """Measure each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, help="Python with mmsa==2.2.1")
    parser.add_argument("--models", nargs="+", default=list(list_models()))
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--job")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    if options.job:
        print(json.dumps(measure(options.job, options.repeats)))
        return
    lines = []
    for name in options.models:
        command = [sys.executable, __file__, "--job", name, "--repeats", str(options.repeats)]
        ours = json.loads(run([*command, "--threads", str(options.threads)], options.threads))
        theirs = reference(options, name) if options.reference and name in IN_REFERENCE else None
        lines.append(row(name, ours, theirs))
        print(lines[-1], flush=True)
    write_section(
        TITLE,
        [
            f"{processor()}; PyTorch {torch.__version__}, {options.threads} thread; batch 32, text cached; medians of "
            f"{options.repeats} steps (MulT of the reference: one). {NOTE}",
            "",
            "| model | parameters | step (ms) | MMSA (ms) | faster | clips/s | MMSA clips/s | faster |",
            "|---|---|---|---|---|---|---|---|",
            *lines,
        ],
    )


def measure(name: str, repeats: int) -> dict[str, float]:
    """Time one model by its recipe: a whole step with the optimiser, all passes of an epoch, and prediction."""
    recipe = shipped_recipe("simsv2", find_model(name))
    torch.manual_seed(0)
    model = recipe.build(CH_SIMS_V2)
    batches = [averaged(random_batch(seed), model.averages) for seed in range(4)]
    module = TrainingModule(model, optimization_of(recipe), lambda *place: EpochLoader(batches, {}))  # type: ignore[arg-type]
    optimizer = module.configure_optimizers()["optimizer"]
    clip = recipe.optimization.get("gradient_clip", 0.0)
    model.train().on_epoch_start(1)

    def step(number: int) -> None:
        batch = batches[number % len(batches)]
        for each in model.passes:
            model.begin_pass(each.name)
            optimizer.zero_grad()
            torch.stack(list(model.loss(model(batch), batch).values())).sum().backward()
            if clip:
                torch.nn.utils.clip_grad_value_(model.parameters(), clip)
            optimizer.step()

    def predict(number: int) -> None:
        model(batches[number % len(batches)])

    with zero_denormals():  # as training does
        step_ms = median_ms(step, repeats)
    model.eval()
    with torch.no_grad():
        predict_ms = median_ms(predict, repeats)
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "step_ms": step_ms,
        "predict_clips_per_s": 1000 * CLIPS / predict_ms,
    }


def random_batch(seed: int, clips: int = CLIPS) -> Batch:
    """Make clips of full length."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {m: (clips, CH_SIMS_V2.steps[m], CH_SIMS_V2.widths[m]) for m in MODALITIES}
    label = torch.rand(clips, generator=generator) * 2 - 1
    return Batch(
        **{m: torch.randn(shape, generator=generator) for m, shape in shapes.items()},
        masks={m: torch.ones(shape[:2], dtype=torch.bool) for m, shape in shapes.items()},
        label=label,
        unimodal_labels=dict.fromkeys(MODALITIES, label),
        row=torch.arange(seed * clips, (seed + 1) * clips),
    )


def averaged(batch: Batch, modalities: Collection[str]) -> Batch:
    """Put the mean over time in place of some modalities, as loading does."""
    means: dict[str, Any] = {m: batch.sequence(m).mean(1, keepdim=True) for m in modalities}
    masks = {m: mask[:, :1] if m in modalities else mask for m, mask in batch.masks.items()}
    return batch._replace(masks=masks, **means)


def median_ms(job: Callable[[int], None], repeats: int) -> float:
    """Time a job after warm-ups; slow ones are repeated less, for a minute, but at least once."""
    times: list[float] = []
    for number in range(WARMUPS + repeats):
        begin = time.perf_counter()
        job(number)
        times.append(1000 * (time.perf_counter() - begin))
        if sum(times) > 1000 * SECONDS and number > WARMUPS:
            break
    return statistics.median(times[WARMUPS:])


def reference(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Time the same model of MMSA."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "found.json"
        script = str(Path(__file__).with_name("mmsa_reference.py"))
        command = [str(options.reference), script, "--models", name, "--repeats", str(options.repeats)]
        command += ["--mult-warmups", "1", "--threads", str(options.threads), "--out", str(out)]
        run(command, options.threads)
        found: dict[str, Any] = json.loads(out.read_text())[name]
    return found


def run(command: list[str], threads: int) -> str:
    """Run a process with that many threads, and give what it prints."""
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def row(name: str, ours: dict[str, float], theirs: dict[str, Any] | None) -> str:
    """Write a row of the table."""
    step, speed = ours["step_ms"], ours["predict_clips_per_s"]
    cells = [name, f"{ours['parameters']:,}", f"{step:,.1f}", "–", "–", f"{speed:,.0f}", "–", "–"]
    if theirs:
        cells[3:5] = [f"{theirs['step_ms']:,.1f}", f"{theirs['step_ms'] / step:.1f}x"]
        cells[6:] = [f"{theirs['predict_clips_per_s']:,.1f}", f"{speed / theirs['predict_clips_per_s']:.1f}x"]
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    main()
