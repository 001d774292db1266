"""Time the models of the PyPI package ``mmsa`` (MMSA 2.2.1) on CPU with CH-SIMS v2 shapes and hyper-parameters.

Run it in an environment of its own, which benchmarks/models.py does::

    ENV/bin/python mmsa_reference.py --threads 1 --repeats 10 --out mmsa.json

Two figures are taken for each model, both on synthetic batches that are made before the clock starts:

* ``step_ms``: one training step. The package's own ``do_train`` runs unchanged over a loader that reads the clock
  between batches, so optimizer set-up, loss, clipping and bookkeeping are the package's, not a re-implementation.
* ``predict_clips_per_s``: the forward pass in eval mode under ``no_grad``.

Each is the median of ``--repeats`` runs (``--mult-repeats`` for MulT) after ``--warmups`` runs that are not counted.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

# These are read at import time: CPU only, no download, no progress bar inside the timed region.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TQDM_DISABLE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"

import torch
from easydict import EasyDict
from MMSA.config import get_config_regression
from MMSA.models import AMIO
from MMSA.trains import ATIO
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_pre_hook

Batch = dict[str, Any]

BATCH_SIZE = 32
SEQ_LENS = (50, 925, 232)  # text, audio, vision
FEATURE_DIMS = (768, 25, 177)
POOL_SIZE = 4  # distinct batches, used in turn
MULT_MIN_FREE_GB = 16.0  # a step at this size peaks at 14.8 GB resident

# CH-SIMS v2 values. What a model does not name here keeps the value of the package's own "sims" configuration.
HYPER_PARAMETERS: dict[str, dict[str, Any]] = {
    "LF_DNN": {
        "hidden_dims": (64, 32, 64),
        "text_out": 256,
        "post_fusion_dim": 32,
        "dropouts": (0.4, 0.4, 0.4, 0.4),
        "learning_rate": 5e-3,
        "weight_decay": 0.0,
    },
    "TFN": {
        "hidden_dims": (128, 32, 128),
        "text_out": 128,
        "post_fusion_dim": 32,
        "dropouts": (0.3, 0.3, 0.3, 0.5),
        "learning_rate": 2e-3,
    },
    "LMF": {
        "hidden_dims": (64, 32, 64),
        "dropouts": (0.3, 0.3, 0.3, 0.5),
        "rank": 4,
        "learning_rate": 2e-3,
        "factor_lr": 5e-4,
        "weight_decay": 1e-4,
    },
    "MFN": {
        "hidden_dims": (128, 16, 128),
        "memsize": 400,
        "windowsize": 2,
        "NN1Config": {"shapes": 32, "drop": 0.2},
        "NN2Config": {"shapes": 128, "drop": 0.5},
        "gamma1Config": {"shapes": 32, "drop": 0.5},
        "gamma2Config": {"shapes": 32, "drop": 0.2},
        "outConfig": {"shapes": 64, "drop": 0.2},
        "learning_rate": 1e-3,
    },
    "Graph_MFN": {
        "hidden_dims": (64, 16, 64),
        "memsize": 400,
        "inner_node_dim": 32,
        "NNConfig": {"shapes": 32, "drop": 0.7},
        "gamma1Config": {"shapes": 256, "drop": 0.5},
        "gamma2Config": {"shapes": 256, "drop": 0.2},
        "outConfig": {"shapes": 256, "drop": 0.2},
        "learning_rate": 2e-3,
    },
    "MLF_DNN": {
        "hidden_dims": (128, 32, 128),
        "text_out": 32,
        "post_fusion_dim": 64,
        "post_text_dim": 32,
        "post_audio_dim": 4,
        "post_video_dim": 64,
        "dropouts": (0.2, 0.2, 0.2),
        "post_dropouts": (0.3, 0.3, 0.3, 0.3),
        "learning_rate": 5e-3,
        "M": 0.8,
        "T": 1.0,
        "A": 0.6,
        "V": 0.8,
        "text_weight_decay": 0.0,
        "audio_weight_decay": 1e-5,
        "video_weight_decay": 1e-5,
        "weight_decay": 1e-4,
    },
    "MTFN": {
        "hidden_dims": (64, 16, 64),
        "text_out": 32,
        "post_fusion_dim": 64,
        "post_text_dim": 16,
        "post_audio_dim": 5,
        "post_video_dim": 64,
        "dropouts": (0.3, 0.3, 0.3),
        "post_dropouts": (0.5, 0.5, 0.5, 0.5),
        "learning_rate": 5e-4,
        "M": 1.0,
        "T": 0.4,
        "A": 0.4,
        "V": 0.8,
    },
    "MLMF": {
        "hidden_dims": (64, 16, 64),
        "rank": 6,
        "post_text_dim": 16,
        "post_audio_dim": 5,
        "post_video_dim": 16,
        "dropouts": (0.3, 0.3, 0.3),
        "post_dropouts": (0.4, 0.4, 0.4, 0.4),
        "learning_rate": 5e-3,
        "factor_lr": 5e-4,
        "M": 0.4,
        "T": 0.0,
        "A": 0.4,
        "V": 1.0,
    },
    "MulT": {
        "dst_feature_dim_nheads": (30, 6),
        "nlevels": 4,
        "conv1d_kernel_size_l": 5,
        "conv1d_kernel_size_a": 3,
        "conv1d_kernel_size_v": 1,
        "text_dropout": 0.5,
        "attn_dropout": 0.1,
        "attn_dropout_a": 0.2,
        "attn_dropout_v": 0.0,
        "relu_dropout": 0.1,
        "embed_dropout": 0.2,
        "res_dropout": 0.0,
        "output_dropout": 0.3,
        "grad_clip": 1.0,
        "learning_rate": 5e-4,
        # The package accumulates gradients over 8 batches; 1 puts one zero_grad and one optimizer step in every step.
        "update_epochs": 1,
    },
}


class DoneError(Exception):
    """Raised by the loader to leave the package's epoch loop once all steps are measured."""


class StepClock:
    """Stands in for the training ``DataLoader`` and measures the time between two batches.

    The consumer asks for the next batch only when it is done with the last one, so the time between handing a batch
    out and being asked for the next is exactly one pass through the body of the package's training loop.
    """

    def __init__(self, batches: list[Batch], steps: int) -> None:
        """Hand out ``steps`` batches, taking those of ``batches`` in turn."""
        self.batches = batches
        self.steps = steps
        self.seconds: list[float] = []

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches, note the seconds each took the consumer, then raise ``DoneError``."""
        for step in range(self.steps):
            batch = self.batches[step % len(self.batches)]
            start = time.perf_counter()
            yield batch
            self.seconds.append(time.perf_counter() - start)
        raise DoneError


def patch_package() -> None:
    """Make ``do_train`` of MulT and MMIM run on current torch, whose ``ReduceLROnPlateau`` knows no ``verbose``."""

    def plateau(*args: Any, verbose: bool = False, **kwargs: Any) -> ReduceLROnPlateau:
        del verbose
        return ReduceLROnPlateau(*args, **kwargs)

    # By name: the package binds the attribute ``MULT`` of ``singleTask`` to the class, not to the module.
    for name in ("MULT", "MMIM"):
        module: Any = importlib.import_module(f"MMSA.trains.singleTask.{name}")
        module.ReduceLROnPlateau = plateau


def package_args(name: str, **changes: Any) -> EasyDict:
    """Return the package's own configuration of a model for CH-SIMS, for training on CPU, with some changes."""
    args = get_config_regression(name.lower(), "sims")
    args.update(train_mode="regression", device=torch.device("cpu"), cur_seed=1)
    args.update(changes)
    return args


def make_args(name: str) -> EasyDict:
    """Return the package's configuration of a model with CH-SIMS v2 shapes and hyper-parameters."""
    args = package_args(name, **HYPER_PARAMETERS[name])
    args.update(
        feature_dims=list(FEATURE_DIMS),
        seq_lens=(SEQ_LENS[0], 1, 1) if args.get("need_normalized") else SEQ_LENS,
        batch_size=BATCH_SIZE,
    )
    return args


def make_batch(normalized: bool) -> Batch:
    """Return one random batch in the form the package's ``DataLoader`` gives it."""
    text, audio, vision = (
        torch.randn(BATCH_SIZE, length, dim) for length, dim in zip(SEQ_LENS, FEATURE_DIMS, strict=True)
    )
    if normalized:  # the package averages over time when it loads a data set, not in the model
        audio, vision = audio.mean(1, keepdim=True), vision.mean(1, keepdim=True)
    labels = {task: torch.empty(BATCH_SIZE, 1).uniform_(-1.0, 1.0) for task in "MTAV"}
    return {"text": text, "audio": audio, "vision": vision, "labels": labels}


def time_steps(args: EasyDict, model: nn.Module, batches: list[Batch], steps: int) -> tuple[list[float], Optimizer]:
    """Run ``steps`` training steps of the package's trainer; return the seconds of each and the optimizer used."""
    clock = StepClock(batches, steps)
    optimizers: list[Optimizer] = []

    def remember(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
        if not optimizers:
            optimizers.append(optimizer)

    handle = register_optimizer_step_pre_hook(remember)
    try:
        ATIO().getTrain(args).do_train(model, {"train": clock})
    except DoneError:
        pass
    finally:
        handle.remove()
    return clock.seconds, optimizers[0]


def time_predictions(model: nn.Module, batches: list[Batch], runs: int) -> list[float]:
    """Return the seconds of each of ``runs`` forward passes in eval mode."""
    seconds: list[float] = []
    model.eval()
    with torch.no_grad():
        for run in range(runs):
            batch = batches[run % len(batches)]
            start = time.perf_counter()
            output: Tensor = model(batch["text"], batch["audio"], batch["vision"])["M"]
            seconds.append(time.perf_counter() - start)
    if output.shape != (BATCH_SIZE, 1) or not bool(torch.isfinite(output).all()):
        raise RuntimeError(f"unexpected prediction: shape {tuple(output.shape)}, or not finite")
    return seconds


def unregistered_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return parameters of modules kept in plain dicts: used in forward, but missing from ``model.parameters()``.

    A name is that of the dict's owner, the dict, its key, joined where it is a tuple, and the parameter in it.
    """
    known = {id(parameter) for parameter in model.parameters()}
    found: dict[str, nn.Parameter] = {}
    for owner, module in model.named_modules():
        for attribute, value in vars(module).items():
            if attribute.startswith("_") or not isinstance(value, dict):
                continue
            for key, item in value.items():
                if isinstance(item, nn.Module):
                    path = f"{owner}.{attribute}.{''.join(map(str, key))}"
                    found.update({f"{path}.{n}": p for n, p in item.named_parameters() if id(p) not in known})
    return found


def count_frozen(model: nn.Module, optimizer: Optimizer) -> int:
    """Count the weights, registered or not, that the package's training never changes.

    A weight is changed if it is in an optimizer group with a learning rate above zero and receives a gradient.
    """
    changed = {id(p) for group in optimizer.param_groups if group["lr"] > 0 for p in group["params"]}
    weights = [*model.parameters(), *unregistered_parameters(model).values()]
    return sum(p.numel() for p in weights if id(p) not in changed or p.grad is None)


def measure(name: str, warmups: int, repeats: int) -> dict[str, int | float]:
    """Build a model and measure its training step and its prediction."""
    torch.manual_seed(0)
    args = make_args(name)
    batches = [make_batch(bool(args.get("need_normalized"))) for _ in range(min(POOL_SIZE, warmups + repeats))]
    model = AMIO(args).to(args.device)
    steps, optimizer = time_steps(args, model, batches, warmups + repeats)
    frozen = count_frozen(model, optimizer)
    predictions = time_predictions(model, batches, warmups + repeats)
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "frozen": frozen,
        "step_ms": round(1000 * statistics.median(steps[warmups:]), 3),
        "predict_clips_per_s": round(BATCH_SIZE / statistics.median(predictions[warmups:]), 2),
    }


def free_memory_gb() -> float:
    """Return the memory that is available on this (Linux) machine in GB."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    available = next(line for line in lines if line.startswith("MemAvailable:"))
    return int(available.split()[1]) * 1024 / 1e9


def versions(threads: int) -> dict[str, str | int]:
    """Return the versions and the thread count that the figures were taken with."""
    packages = ("mmsa", "torch", "numpy", "transformers")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}, "threads": threads}


def bounded_int(minimum: int) -> Callable[[str], int]:
    """Return an ``argparse`` type for integers that are at least ``minimum``."""

    def integer(text: str) -> int:
        value = int(text)
        if value < minimum:
            raise argparse.ArgumentTypeError(f"must be at least {minimum}")
        return value

    return integer


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(HYPER_PARAMETERS)
    parser.add_argument("--models", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--threads", type=bounded_int(1), default=1)
    parser.add_argument("--repeats", type=bounded_int(1), default=10, help="counted runs (default 10)")
    parser.add_argument("--warmups", type=bounded_int(0), default=2, help="runs before them (default 2)")
    parser.add_argument("--mult-repeats", type=bounded_int(1), default=1, help="--repeats of MulT (default 1)")
    parser.add_argument("--mult-warmups", type=bounded_int(0), default=2, help="--warmups of MulT (default 2)")
    parser.add_argument("--out", type=Path, required=True, help="JSON file to write; rewritten after each model")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Measure the models asked for; return 1 if one had to be left out."""
    options = parse_arguments(argv)
    torch.set_num_threads(options.threads)
    patch_package()
    results: dict[str, Any] = {"versions": versions(options.threads)}
    skipped = False
    for name in options.models:
        if name == "MulT" and (free := free_memory_gb()) < MULT_MIN_FREE_GB:
            print(f"MulT left out: {free:.1f} GB free, wants {MULT_MIN_FREE_GB:.0f}", file=sys.stderr)
            skipped = True
            continue
        is_mult = name == "MulT"
        warmups = options.mult_warmups if is_mult else options.warmups
        results[name] = measure(name, warmups, options.mult_repeats if is_mult else options.repeats)
        print(f"{name}: {results[name]}", file=sys.stderr, flush=True)
        options.out.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
        gc.collect()
    return int(skipped)


if __name__ == "__main__":
    sys.exit(main())
