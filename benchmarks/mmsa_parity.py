"""Run the models of the PyPI package ``mmsa`` (MMSA 2.2.1) on given weights and batches, for benchmarks/parity.py.

Run it in the package's own environment, which benchmarks/parity.py does, on a folder that holds the jobs::

    ENV/bin/python mmsa_parity.py FOLDER

Everything is computed in double precision. Losses and gradients of training are those of the package's own
``do_train``: it gets a loader of the given batches, and its optimizer is kept from moving the weights.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import mmsa_reference as package  # first: it sets what is read at import time
import numpy as np
import torch
from MMSA.models import AMIO
from MMSA.trains import ATIO
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.optimizer import register_optimizer_step_pre_hook

Arrays = dict[str, Any]
SEEDS = 20  # models drawn anew, of whose values mean and deviation are taken
WITH_LENGTHS = ("MMIM", "Self_MM")  # these take audio and vision each with its lengths
MULTITASK = ("MLF_DNN", "MTFN", "MLMF")


class Loader:
    """Stands in for the training ``DataLoader``: calls ``begin`` first, gives the batches, and ends the last run."""

    def __init__(self, batches: list[Arrays], runs: int, begin: Callable[[], None]) -> None:
        """Give the batches ``runs`` times; with 0 none at all."""
        self.batches, self.runs, self.begin, self.run = batches, runs, begin, 0

    def __len__(self) -> int:
        """Count the batches."""
        return len(self.batches)

    def __iter__(self) -> Iterator[Arrays]:
        """Yield copies, as some trainers change the labels in place."""
        if not self.run:
            self.begin()
        self.run += 1
        for batch in self.batches if self.runs else ():
            yield {**batch, "labels": dict(batch["labels"])}
        if self.run >= self.runs:
            raise package.DoneError


class Subject:
    """A model of the package, small, with its batches."""

    def __init__(self, name: str, job: dict[str, Any], arrays: Arrays) -> None:
        """Read the batches: their arrays are named BATCH/FIELD, those of labels BATCH/labels/TASK."""
        self.name, self.job = name, job
        self.batches: dict[str, Arrays] = {}
        for path, values in arrays.items():
            batch, _, field = path.partition("/")
            into = self.batches.setdefault(batch, {"labels": {}})
            tensor = torch.from_numpy(values)
            if field.startswith("labels/"):
                into["labels"][field.removeprefix("labels/")] = tensor.view(-1, 1)
            else:
                into[field] = tensor
        for batch in self.batches.values():
            batch["id"] = [str(i) for i in range(len(batch["text"]))]
        self.weights: dict[str, Tensor] = {}

    def build(self, changes: dict[str, Any] | None = None, seed: int = 0) -> tuple[Any, nn.Module]:
        """Build the model as the package does; ``changes`` go by paths such as ``dropouts.0``."""
        torch.manual_seed(seed)
        args = package.package_args(self.name, model_save_path="best.pth")
        for path, value in {**self.job["args"], **(changes or {})}.items():
            change(args, path.split("."), value)
        model = AMIO(args).double()
        for layer in model.modules():
            if isinstance(layer, nn.TransformerEncoderLayer):  # its dropout is no option
                layer.self_attn.dropout = layer.dropout.p = layer.dropout1.p = layer.dropout2.p = 0.0
        return args, model

    def draw(self) -> None:
        """Draw the weights that all cases share, away from where they start; only an encoder's matrices stay."""
        _, model = self.build()
        with torch.no_grad():
            for name, weight in states(model).items():
                if name.endswith("running_var"):
                    weight.uniform_(0.5, 1.5)
                elif name.endswith("running_mean") or (weight.requires_grad and not self.loaded(name, weight)):
                    weight.add_(0.4 * torch.randn_like(weight))
        self.weights = {name: weight.detach().clone() for name, weight in states(model).items()}

    def loaded(self, name: str, weight: Tensor) -> bool:
        """Tell whether a weight is a matrix of the encoder."""
        return weight.ndim > 1 and name.startswith(tuple(self.job["loaded"]))

    def load(self, model: nn.Module) -> None:
        """Give a model these weights."""
        with torch.no_grad():
            for name, weight in states(model).items():
                weight.copy_(self.weights[name])

    def call(self, model: Any, batch: Arrays) -> dict[str, Any]:
        """Run a model on a batch."""
        text, audio, vision = (batch[name] for name in ("text", "audio", "vision"))
        if model.need_model_aligned:
            model.alignNet.dst_len = text.shape[-1 if self.job["tokens"] else 1]
        if self.name in WITH_LENGTHS:
            audio, vision = (audio, batch["audio_lengths"]), (vision, batch["vision_lengths"])
        outputs: dict[str, Any] = model(text, audio, vision)
        return outputs

    def loss(self, args: Any, outputs: dict[str, Any], batch: Arrays) -> Tensor:
        """Compute the loss of a batch in evaluation, by the trainer's own criterion."""
        trainer = ATIO().getTrain(args)
        if self.name == "Self_MM":
            loss: Tensor = trainer.weighted_loss(outputs["M"], batch["labels"]["M"])
            return loss
        tasks = {m: args[m] for m in "MTAV"} if self.name in MULTITASK else {"M": 1.0}
        return torch.stack([w * trainer.criterion(outputs[m], batch["labels"][m]) for m, w in tasks.items()]).sum()

    def case(self, case: dict[str, Any]) -> Arrays:
        """Compute outputs, mean loss and gradients over the batches of a case; ``rows`` are read of each."""
        args, model = self.build(case.get("args"))
        self.load(model)
        model.train(case.get("train", False))
        names, outputs, losses = case["batches"], [], []
        for name in names:
            found = self.call(model, self.batches[name])
            losses.append(self.loss(args, found, self.batches[name]))
            (losses[-1] / len(names)).backward()
            outputs.append({m: found[m][: case["rows"]] for m in "MTAV" if m in found})
        arrays: Arrays = {f"outputs/{m}": torch.cat([each[m] for each in outputs]) for m in outputs[0]}
        arrays["loss"] = torch.stack(losses).mean()
        if not case.get("train"):
            arrays |= gradients(model)
        return arrays

    def train(self) -> tuple[Arrays, dict[str, Any]]:
        """Let the package train, with weights that stay; give each step's loss and gradients, and the groups."""
        args, model = self.build()
        names = {id(weight): name for name, weight in states(model).items()}
        losses: list[Tensor] = []
        arrays: Arrays = {}
        groups: dict[str, list[float]] = {}
        steps: list[list[str]] = []

        def before_step(optimizer: Optimizer, _args: Any, _kwargs: Any) -> None:
            arrays[f"step{len(steps)}/loss"] = losses[-1]
            arrays.update({f"step{len(steps)}/{name}": value for name, value in gradients(model).items()})
            steps.append([names[id(p)] for group in optimizer.param_groups for p in group["params"]])
            for group in optimizer.param_groups:
                if group["lr"]:
                    groups.update({names[id(p)]: [group["lr"], group["weight_decay"]] for p in group["params"]})
                group["lr"] = 0.0

        batches = [self.batches[name] for name in self.job["steps"]]
        trainer = ATIO().getTrain(args)
        trainer.metrics = lambda *_: {}
        handle, backward = register_optimizer_step_pre_hook(before_step), Tensor.backward
        Tensor.backward = lambda loss, *rest: [losses.append(loss.detach().clone()), backward(loss, *rest)][1]  # type: ignore[method-assign]
        try:
            loader = Loader(batches, self.job["runs"], lambda: self.load(model))
            trainer.do_train(model, {"train": loader, "valid": batches})
        except package.DoneError:
            pass
        finally:
            handle.remove()
            Tensor.backward = backward  # type: ignore[method-assign]
        for source, values in getattr(trainer, "label_map", {}).items():
            arrays[f"labels/{source}"] = values
        return arrays, {"groups": groups, "steps": steps}

    def drawn(self) -> Arrays:
        """Give the weights with which training begins, of models drawn from several seeds."""
        found: dict[str, list[Tensor]] = {}
        for seed in range(SEEDS):
            args, model = self.build(seed=seed)

            def note(model: nn.Module = model) -> None:
                for name, weight in states(model).items():
                    found.setdefault(name, []).append(weight.detach().clone())

            with suppress(package.DoneError):
                ATIO().getTrain(args).do_train(model, {"train": Loader([], 0, note)})
        encoder = tuple(self.job["loaded"])
        return {name: torch.stack(values) for name, values in found.items() if not name.startswith(encoder)}


def change(args: Any, path: list[str], value: Any) -> None:
    """Set a value of a configuration, or one place of a list in it."""
    if len(path) == 1:
        args[path[0]] = value
    elif path[1].isdigit():
        values = list(args[path[0]])
        values[int(path[1])] = value
        args[path[0]] = values
    else:
        change(args[path[0]], path[1:], value)


def states(model: nn.Module) -> dict[str, Tensor]:
    """Name the weights, the unregistered ones too, and the running statistics, as the package's class of the model."""
    running = {name: buffer for name, buffer in model.named_buffers() if "running_" in name}
    every = {**dict(model.named_parameters()), **package.unregistered_parameters(model), **running}
    return {name.removeprefix("Model."): value for name, value in every.items()}


def gradients(model: nn.Module) -> Arrays:
    """Copy the gradients that there are."""
    return {f"gradients/{name}": p.grad.clone() for name, p in states(model).items() if p.grad is not None}


def plain(value: Any) -> Any:
    """Make a configuration fit for JSON."""
    return value if isinstance(value, (int, float, str, list, dict, type(None))) else str(value)


def run(name: str, job: dict[str, Any]) -> dict[str, Any]:
    """Run all cases of a model; write the arrays, return what is no array."""
    with np.load(f"{name}.npz") as arrays:
        subject = Subject(name, job, dict(arrays))
    subject.draw()
    found: Arrays = {f"weights/{n}": weight for n, weight in subject.weights.items()}
    for case, what in job["cases"].items():
        found.update({f"{case}/{n}": value for n, value in subject.case(what).items()})
    trained, told = subject.train()
    found.update(trained)
    found.update({f"drawn/{n}": values for n, values in subject.drawn().items()})
    np.savez(f"{name}-found.npz", **{n: value.detach().numpy() for n, value in found.items()})
    return {**told, "config": {key: plain(value) for key, value in package.package_args(name).items()}}


def main() -> None:
    """Run the jobs of a folder."""
    os.chdir(sys.argv[1])  # BERT_MAG loads its encoder by a fixed name: here that is a folder
    torch.set_num_threads(1)
    torch.set_default_dtype(torch.float64)
    # The attention of MulT takes its softmax in single precision, whatever the inputs have.
    Tensor.float = Tensor.double  # type: ignore[method-assign]
    package.patch_package()
    jobs = json.loads(Path("jobs.json").read_text(encoding="utf-8"))
    found = {name: run(name, job) for name, job in jobs.items()}
    told = {"models": found, "versions": package.versions(1)}
    Path("found.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
