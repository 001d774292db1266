"""Every model as an ONNX file beside PyTorch: differences, size and speed; and what 8-bit weights cost trained models.

    python benchmarks/onnx_files.py            # both tables; several minutes

Models have the shapes of CH-SIMS v2 and its recipes, with weights as they are drawn: speed and rounding do not ask for
more. Each is scored one clip at a time at full length, on one thread, in turns with its rivals. The second table trains
a few models on the simulated demo data for as long as their recipes say.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import numpy as np
import torch
from page import processor, write_section

import imlcmm
from imlcmm.datasets.stores.sentiment_data import SentimentData
from imlcmm.models import list_models
from imlcmm.models.card import CH_SIMS_V2
from imlcmm.prediction.networks.checkpoint import CheckpointNetwork
from imlcmm.prediction.networks.network import ClipArrays, Network
from imlcmm.prediction.networks.onnx_export import export_onnx, largest_difference
from imlcmm.prediction.networks.onnx_file import OnnxNetwork
from imlcmm.training.recipe import optimization_of, shipped_recipe
from imlcmm.types import MODALITIES, Batch

TRAINED = ("LF_DNN", "LMF", "Self_MM", "IMLCMM")


def main() -> None:
    """Measure all models, and write both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--models", nargs="+", default=list(list_models()))
    options = parser.parse_args()
    torch.set_num_threads(1)
    machine = f"{processor()}; PyTorch {torch.__version__}; one thread"
    rows = [compare(name, options.repeats) for name in options.models]
    write_section("ONNX files", [
        f"{machine}; one clip of 50, 925 and 232 steps at a time, process time, median of {options.repeats} turns. The "
        "largest difference is that to PyTorch over eight clips of other lengths, some without a modality.",
        "",
        "| model | largest difference | MB | MB, int8 | load, ms | clips/s, PyTorch | clips/s, ONNX | clips/s, int8 |",
        "|---|---|---|---|---|---|---|---|",
        *rows,
    ])  # fmt: skip
    with TemporaryDirectory() as folder:
        data = imlcmm.load_dataset(imlcmm.simulate(Path(folder) / "demo"))
        losses = [loss(name, data, Path(folder)) for name in TRAINED]
    write_section("What 8-bit weights cost", [
        "Simulated demo data, test clips; one seed each, trained by its recipe.",
        "",
        "| model | MAE, PyTorch | MAE, ONNX | MAE, int8 | mean change by int8 | largest |",
        "|---|---|---|---|---|---|",
        *losses,
    ])  # fmt: skip


def compare(name: str, repeats: int) -> str:
    """Measure one model; a row of the first table."""
    torch.manual_seed(0)
    network = CheckpointNetwork(shipped_recipe("simsv2", list_models()[name]).build(CH_SIMS_V2), None)
    with TemporaryDirectory() as folder:
        files = [Path(folder) / "plain.onnx", Path(folder) / "int8.onnx"]
        rivals: list[Network] = [network, export_onnx(network, files[0]), export_onnx(network, files[1], int8=True)]
        clip = whole_clip()
        times = in_turns([lambda each=each: each(clip) for each in rivals], repeats)
        load = in_turns([lambda: OnnxNetwork(files[0])], 5)[0]
        sizes = " | ".join(f"{file.stat().st_size / 1e6:.1f}" for file in files)
        rates = " | ".join(f"{1 / seconds:.3g}" for seconds in times)
        row = f"| {name} | {largest_difference(network, rivals[1]):.1e} | {sizes} | {1e3 * load:.0f} | {rates} |"
    print(row, flush=True)
    return row


def loss(name: str, data: SentimentData, folder: Path) -> str:
    """Train a model, and score the test clips with it and with its files; a row of the second table."""
    recipe = shipped_recipe("simsv2", list_models()[name])
    torch.manual_seed(1111)
    quiet = imlcmm.TrainerOptions(progress=False, accelerator="cpu")
    run = imlcmm.train(
        recipe.build(data.spec), data, optimization_of(recipe), folder=folder / f"run-{name}", trainer=quiet
    )
    network = CheckpointNetwork(run.best, None)
    files = [export_onnx(network, folder / f"{name}-{int8}.onnx", int8=int8) for int8 in (False, True)]
    labels, batches = data.test.labels[:, 0].numpy(), [as_arrays(batch) for batch in data.test.batches(32)]
    scores = [np.concatenate([each(clips).sentiment for clips in batches]) for each in (network, *files)]
    errors = " | ".join(f"{np.abs(found - labels).mean():.4f}" for found in scores)
    change = np.abs(scores[2] - scores[0])
    row = f"| {name} | {errors} | {change.mean():.4f} | {change.max():.3f} |"
    print(row, flush=True)
    return row


def as_arrays(batch: Batch) -> ClipArrays:
    """Give what a model reads of a batch."""
    sequences = {m: batch.sequence(m).numpy() for m in MODALITIES}
    masks = {m: mask.numpy() for m, mask in batch.masks.items()}
    return ClipArrays(sequences, masks, np.zeros((len(masks["text"]), 3, masks["text"].shape[1]), np.int64))


def whole_clip() -> ClipArrays:
    """Draw a clip of full length."""
    draw, spec = np.random.default_rng(0), CH_SIMS_V2
    sequences = {m: draw.normal(size=(1, spec.steps[m], spec.widths[m])).astype(np.float32) for m in MODALITIES}
    return ClipArrays(
        sequences,
        {m: np.ones((1, spec.steps[m]), bool) for m in MODALITIES},
        np.ones((1, 3, spec.steps["text"]), np.int64),
    )


def in_turns(jobs: list[Callable[[], object]], repeats: int) -> list[float]:
    """Give the median of each job's process time, in seconds, the jobs taking turns."""
    times: list[list[float]] = [[] for _ in jobs]
    for turn in range(repeats + 1):
        for job, seconds in zip(jobs, times, strict=True):
            begin = time.process_time()
            job()
            if turn:
                seconds.append(time.process_time() - begin)
    return [median(each) for each in times]


if __name__ == "__main__":
    main()
