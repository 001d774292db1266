"""Hold our baselines against their reference, the PyPI package mmsa 2.2.1, and write docs/parity.md's tables.

    python benchmarks/parity.py --reference ENV/bin/python

docs/parity.md says how to make the reference's environment. Both sides compute in double precision with the same
weights on the same batches; the reference runs in its own Python (benchmarks/mmsa_parity.py). Exits with 1 where a
difference is above 1e-9.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, is_dataclass
from fnmatch import fnmatch
from inspect import signature
from itertools import takewhile
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from page import write_section
from parity_inputs import (
    CLIPS,
    ENCODERS,
    OUTPUTS,
    STEPS,
    dropouts,
    given_batches,
    job,
    make_batch,
    trained_on,
    unlabelled,
    write_encoder,
)
from parity_tables import BERT, TWINS, WIDTHS, Deviation, expanded
from torch import Tensor, nn

from imlcmm.models import find_model
from imlcmm.models.base import SentimentModel
from imlcmm.training.recipe import build_model, optimization_of, shipped_recipe
from imlcmm.types import MODALITIES, DataSpec

LIMIT = 1e-9
PAGE = Path(__file__).parent.parent / "docs" / "parity.md"
SOURCES = ("fusion", "text", "audio", "vision")
SEEDS, SMALLEST, SURE, MOST = 20, 0.05, 4.0, 6
Arrays = Mapping[str, np.ndarray]


@dataclass
class Result:
    """What was found of a model: relative differences, and what is not the same in words."""

    weights: str = ""
    outputs: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    gradients: list[float] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    dropouts: dict[str, list[str]] = field(default_factory=lambda: {"same": [], "other": [], "untried": []})
    drawn: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    recipe: list[str] = field(default_factory=list)
    unlabelled: tuple[float, float] = (0.0, 0.0)

    @property
    def holds(self) -> bool:
        """Tell whether no difference is above the limit, nor unknown."""
        return all(found <= LIMIT for found in (*self.outputs, *self.losses, *self.gradients))


def main() -> int:
    """Compare; return 1 if a difference is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reference", type=Path, required=True, help="Python with mmsa==2.2.1")
    parser.add_argument("--models", nargs="+", choices=list(TWINS), default=list(TWINS), metavar="NAME")
    options = parser.parse_args()
    torch.set_default_dtype(torch.float64)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = reference(options.reference, folder, options.models)
        results = {}
        for model in options.models:
            with np.load(folder / f"{model}-found.npz") as arrays:
                comparison = Comparison(model, folder, dict(arrays), told["models"][model])
            results[model] = comparison.result()
    lines = page(results, told["versions"])
    print("\n".join(lines))
    if len(results) == len(TWINS):
        write_section("The comparison", lines, page=PAGE, level=2)
    return int(not all(result.holds for result in results.values()))


def reference(python: Path, folder: Path, models: Iterable[str]) -> dict[str, Any]:
    """Let the reference run all cases, and give what it tells besides arrays."""
    for name, width in ENCODERS.items():
        write_encoder(folder / name, width)
    for name in models:
        np.savez(folder / f"{name}.npz", **given_batches(TWINS[name]))
    jobs = {name: job(TWINS[name]) for name in models}
    (folder / "jobs.json").write_text(json.dumps(jobs), encoding="utf-8")
    script = Path(__file__).with_name("mmsa_parity.py")
    # The path of an environment's python is a link, which must not be followed.
    subprocess.run([str(python.absolute()), str(script), str(folder)], check=True)
    told: dict[str, Any] = json.loads((folder / "found.json").read_text(encoding="utf-8"))
    return told


class Comparison:
    """One model of ours beside what the reference's gave."""

    def __init__(self, name: str, folder: Path, found: Arrays, told: dict[str, Any]) -> None:
        """Take the arrays and what else the reference tells."""
        self.name, self.folder, self.found, self.told = name, folder, found, told
        self.twin, self.model_class = TWINS[name], find_model(name)
        knobs = {path: value for (path, _), value in self.twin.knobs.items() if value is not None}
        self.options = {**knobs, **self.twin.options}
        if self.twin.tokens:
            self.options["text_encoder"] = str(folder / job(self.twin)["args"]["pretrained"])
        self.pairs = expanded(self.twin.pairs, list(states(self.build())))
        self.felt: set[str] = set()

    def build(self, **changes: Any) -> SentimentModel:
        """Build our model."""
        spec = DataSpec(dict(WIDTHS), dict(STEPS), train_size=2 * CLIPS)
        model = build_model(self.model_class, spec, nested({**self.options, **changes})).double()
        for layer in model.modules():
            if isinstance(layer, nn.TransformerEncoderLayer):  # its dropout is no option
                layer.self_attn.dropout = layer.dropout.p = layer.dropout1.p = layer.dropout2.p = 0.0
        return model

    def loaded(self, **changes: Any) -> SentimentModel:
        """Build our model with the reference's weights."""
        model = self.build(**changes)
        mine = states(model)
        with torch.no_grad():
            for pair in self.pairs:
                mine[pair.ours].copy_(torch.from_numpy(pair.take(self.found[f"weights/{pair.theirs}"]).copy()))
        return model

    def result(self) -> Result:
        """Compare everything."""
        result = Result(self.account())
        with patch(*self.twin.patch) if self.twin.patch else nullcontext():
            for case in ("full", "padded"):
                self.evaluation(case, result)
            self.training(result, self.loaded())
            self.dropped(result)
            result.unlabelled = self.unlabelled()
        result.weights = f"{len(self.felt)} of {result.weights}"
        for deviation in self.twin.deviations:
            result.without.append(f"{deviation.name}: {self.deviate(deviation):.0e}")
        self.compare_drawn(result)
        self.compare_groups(result)
        self.compare_recipe(result)
        return result

    def account(self) -> str:
        """Check that every weight of either side is paired, each value once, or listed as without counterpart.

        Raises:
            SystemExit: If one is not.
        """
        mine = states(self.build())
        weights = {p.removeprefix("weights/"): v for p, v in self.found.items() if p.startswith("weights/")}
        places, begin = {}, 0
        for name, values in weights.items():
            places[name] = np.arange(begin, begin + values.size).reshape(values.shape)
            begin += values.size
        taken: list[np.ndarray] = []
        for pair in self.pairs:
            taken.append(pair.take(places[pair.theirs]))
            check(taken[-1].shape == tuple(mine[pair.ours].shape), self.name, f"{pair.ours} has another shape")
        values = np.concatenate([each.ravel() for each in taken])
        check(len(np.unique(values)) == len(values), self.name, "a value of the reference is taken twice")
        alone = [n for n in set(mine) - {p.ours for p in self.pairs} if not matches(n, self.twin.ours_alone)]
        check(not alone, self.name, f"ours alone: {alone}")
        used = set(values.tolist())
        missing = {n for n, at in places.items() if not used.issuperset(at.ravel().tolist())}
        check(all(matches(n, self.twin.left_out) for n in missing), self.name, f"not paired: {missing}")
        left = [f"`{p}` ({why})" for p, why in {**self.twin.left_out, **self.twin.ours_alone}.items()]
        return f"{len(self.pairs)}" + (f"; not {', '.join(left)}" if left else "")

    def evaluation(self, case: str, result: Result) -> None:
        """Compare outputs, loss and gradients of a batch in evaluation."""
        model, batch = self.loaded().eval(), make_batch(self.twin, case)
        prediction = model(batch)
        loss = torch.stack(list(model.loss(prediction, batch).values())).sum()
        loss.backward()
        result.outputs += [relative(*both) for both in self.outputs(prediction, case)]
        result.losses.append(relative(loss.detach().numpy(), self.found[f"{case}/loss"]))
        result.gradients.append(self.gradients(model, case))

    def outputs(self, prediction: Any, case: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Pair the outputs of all heads."""
        for letter in "MTAV":
            if f"{case}/outputs/{letter}" in self.found:
                ours = prediction.sentiment if letter == "M" else prediction.logits[OUTPUTS[letter]]
                yield ours.detach().numpy().ravel(), self.found[f"{case}/outputs/{letter}"].ravel()

    def gradients(self, model: SentimentModel, case: str) -> float:
        """Give the largest difference of a weight's gradient, relative to its largest value."""
        mine = states(model)
        both = [
            (mine[p.ours].grad.numpy(), p.take(self.found[f"{case}/gradients/{p.theirs}"]))
            for p in self.pairs
            if mine[p.ours].grad is not None
        ]
        self.felt |= {p.ours for p in self.pairs if mine[p.ours].grad is not None and mine[p.ours].grad.abs().max() > 0}
        # A gradient that is zero but for rounding, such as that of a key's bias, is held against the others.
        floor = 1e-4 * max(np.abs(theirs).max() for _, theirs in both)
        return max(float(np.abs(a - b).max() / max(np.abs(b).max(), floor)) for a, b in both)

    def training(self, result: Result, model: SentimentModel) -> None:
        """Compare the steps of training, whose losses and gradients the reference's own trainer gave."""
        number = -1
        for number, loss in enumerate(self.steps(model)):
            result.losses.append(relative(loss, self.found[f"step{number}/loss"]))
            result.gradients.append(self.gradients(model, f"step{number}"))
            stepped = set(self.told["steps"][number])
            still = [
                p.ours for p in self.pairs
                if p.theirs in stepped and f"step{number}/gradients/{p.theirs}" in self.found
                and states(model)[p.ours].grad is None and not matches(p.ours, self.twin.untrained)
            ]  # fmt: skip
            check(not still, self.name, f"not trained in step {number}: {still}")
        check(number + 1 == len(self.told["steps"]), self.name, "the reference took another number of steps")
        if f"labels/{SOURCES[0]}" in self.found:
            result.outputs.append(self.labels(model))

    def labels(self, model: Any) -> float:
        """Compare the labels that Self_MM has generated."""
        labels = np.stack([self.found[f"labels/{source}"] for source in SOURCES])
        return relative(model.generator.labels.numpy(), labels)

    def steps(self, model: SentimentModel) -> Iterator[np.ndarray]:
        """Train without moving the weights, and give the loss of each step; gradients are those of the step."""
        model.train()
        for epoch in range(self.twin.epochs):
            model.on_epoch_start(epoch)
            for each in model.passes:
                model.begin_pass(each.name)
                for name in trained_on(self.twin):
                    model.zero_grad()
                    batch = make_batch(self.twin, name)
                    loss = torch.stack(list(model.loss(model(batch), batch).values())).sum()
                    loss.backward()
                    yield loss.detach().numpy()

    def unlabelled(self) -> tuple[float, float]:
        """Give the losses of both sides for a batch with a clip that has no label."""
        model, batch = self.loaded().eval(), unlabelled(make_batch(self.twin, "full"))
        ours = torch.stack(list(model.loss(model(batch), batch).values())).sum()
        return ours.item(), float(self.found["unlabelled/loss"])

    def deviate(self, deviation: Deviation) -> float:
        """Measure what parity needs by leaving it away: on the outputs, or on the loss of the last step."""
        model = self.loaded(**deviation.options)
        if deviation.case in ("steps", "labels"):
            *_, loss = self.steps(model)
            if deviation.case == "labels":
                return self.labels(model)
            return relative(loss, self.found[f"step{len(self.told['steps']) - 1}/loss"])
        batch = make_batch(self.twin, deviation.batch)
        return max(relative(*both) for both in self.outputs(model.eval()(batch), deviation.case))

    def dropped(self, result: Result) -> None:
        """Drop everything at each place where both have a dropout; what is left tells whether the places agree."""
        for ours, _ in dropouts(self.twin):
            outputs = self.outputs(self.loaded(**{ours: 1.0}).train()(make_batch(self.twin, "full")), f"drop {ours}")
            worst = float(np.max([relative(*both) for both in outputs]))
            kind = "untried" if math.isnan(worst) else "same" if worst <= LIMIT else "other"
            result.dropouts[kind].append(ours)

    def compare_drawn(self, result: Result) -> None:
        """Compare the values that training begins with, over models of several seeds."""
        ours: dict[str, list[np.ndarray]] = {}
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            for name, weight in states(self.build()).items():
                ours.setdefault(name, []).append(weight.detach().numpy().copy())
        found: dict[str, list[tuple[float, float]]] = {}
        for pair in self.pairs:
            if f"drawn/{pair.theirs}" not in self.found:
                if not pair.ours.startswith(BERT):
                    result.drawn.append(f"`{pair.ours}` is BERT's there")
                continue
            mine = np.stack(ours[pair.ours])
            theirs = np.stack([pair.take(each) for each in self.found[f"drawn/{pair.theirs}"]])
            if unlike(mine, theirs):
                found.setdefault(general(pair.ours), []).append((float(mine.std()), float(theirs.std())))
        result.drawn += [f"`{name}` {spread(values)}" for name, values in found.items()]

    def compare_groups(self, result: Result) -> None:
        """Compare learning rate and weight decay of each weight, by our recipe for CH-SIMS and the package's own."""
        recipe = shipped_recipe("sims", self.model_class)
        how = optimization_of(recipe)
        rates = {name: value for name, value in flat(recipe.options).items() if name.endswith(("_lr", "_decay"))}
        model = self.build(**rates)
        ours = {}
        for group in model.parameter_groups():
            rate = [group.get("lr", how.lr), group.get("weight_decay", how.weight_decay)]
            ours |= {id(p): rate for p in group["params"] if p.requires_grad}
        found: dict[str, list[str]] = {}
        for pair in self.pairs:
            theirs, mine = self.told["groups"].get(pair.theirs), ours.get(id(states(model)[pair.ours]))
            if mine != theirs and not matches(pair.ours, self.twin.untrained):
                found.setdefault(f"{written(mine)} against {written(theirs)}", []).append(pair.ours)
        names = [pair.ours for pair in self.pairs]
        result.groups = [f"{collapsed(some, names)} {said}" for said, some in found.items()]

    def compare_recipe(self, result: Result) -> None:
        """Compare our recipe for CH-SIMS with the package's configuration."""
        recipe = shipped_recipe("sims", self.model_class)
        config = {name: value for name, value in self.told["config"].items() if name not in self.twin.unread}
        how = optimization_of(recipe)
        defaults = {n: p.default for n, p in signature(self.model_class).parameters.items()}
        values = flat({n: asdict(v) if is_dataclass(v) else v for n, v in defaults.items()}) | flat(recipe.options)
        pairs = {ours: (values.get(ours), at(config, theirs)) for ours, theirs in self.twin.knobs}
        pairs |= {
            "batch_size": (how.batch_size, config["batch_size"]),
            "patience": (how.patience, config["early_stop"]),
            "accumulate": (how.accumulate, config.get("update_epochs", 1)),
            "gradient_clip": (how.gradient_clip, config.get("grad_clip", 0.0)),
        }
        for name, (ours, theirs) in pairs.items():
            if theirs is not None and ours != theirs:
                result.recipe.append(f"`{name}` {ours} against {theirs}")


def states(model: nn.Module) -> dict[str, Tensor]:
    """Name the weights and the running statistics."""
    running = {name: buffer for name, buffer in model.named_buffers() if "running_" in name}
    return {**dict(model.named_parameters()), **running}


def check(holds: bool, name: str, message: str) -> None:
    """Stop where the tables are wrong."""
    if not holds:
        raise SystemExit(f"{name}: {message}")


def matches(name: str, patterns: Iterable[str]) -> bool:
    """Tell whether one of the patterns fits."""
    return any(fnmatch(name, pattern) for pattern in patterns)


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Give the largest difference, relative to the largest value."""
    return float(np.abs(ours - theirs).max() / (np.abs(theirs).max() or 1.0))


def unlike(mine: np.ndarray, theirs: np.ndarray) -> bool:
    """Tell whether two samples differ in deviation by more than 5 %, or in mean, and not by chance."""
    deviations = float(mine.std()), float(theirs.std())
    error = math.sqrt(2 / mine.size)  # of a ratio of deviations, at most: uniform and normal values have less
    larger = max(deviations)
    if abs(deviations[0] - deviations[1]) > larger * max(SMALLEST, SURE * error):
        return True
    return abs(float(mine.mean() - theirs.mean())) > max(SURE * error * larger, 1e-12)


def general(name: str) -> str:
    """Leave open which modality and which layer a weight is of."""
    parts = ["*" if p.isdigit() or any(m in p for m in MODALITIES) else p for p in name.split(".")]
    return ".".join(parts if len(parts) <= MOST - 1 else ["*", *parts[-3:]])


def spread(values: list[tuple[float, float]]) -> str:
    """Say how far our weights deviate from zero, measured by the reference's."""
    if all(theirs == 0 for _, theirs in values):
        return "0 there"
    ratios = [mine / theirs for mine, theirs in values]
    low, high = f"{min(ratios):.1f}", f"{max(ratios):.1f}"
    return f"{low} times as wide" if low == high else f"{low} to {high} times as wide"


def collapsed(names: list[str], every: list[str]) -> str:
    """Write weights by what they are parts of, where all of its parts are meant."""
    found = {}
    for name in names:
        parts = name.split(".")
        begins = (".".join(parts[:depth]) + "." for depth in range(1, len(parts)))
        whole = next((b for b in begins if all(n in names for n in every if n.startswith(b))), "")
        found[f"`{whole}*`" if whole else f"`{name}`"] = True
    if len(found) <= MOST:
        return ", ".join(found)
    split = [name.split(".") for name in names]
    shared = takewhile(lambda parts: len(set(parts)) == 1, zip(*split, strict=False))
    begin = ".".join(parts[0] for parts in shared) + "."
    return f"{len(names)} of {sum(n.startswith(begin) for n in every)} `{begin}*`"


def nested(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn dotted names into nested options."""
    found: dict[str, Any] = {}
    for path, value in options.items():
        *outer, name = path.split(".")
        into = found
        for part in outer:
            into = into.setdefault(part, {})
        into[name] = value
    return found


def flat(options: Mapping[str, Any]) -> dict[str, Any]:
    """Turn nested options into dotted names."""
    found = {}
    for name, value in options.items():
        inner = flat(value) if isinstance(value, Mapping) else {"": value}
        found |= {f"{name}.{rest}" if rest else name: each for rest, each in inner.items()}
    return found


def at(config: Any, path: str) -> Any:
    """Read a place of a configuration."""
    for part in path.split("."):
        config = config[int(part)] if part.isdigit() else config.get(part)
    return config


def written(rate: Any) -> str:
    """Write learning rate and weight decay."""
    return "untrained" if rate is None else f"{rate[0]:g}, {rate[1]:g}"


def page(results: Mapping[str, Result], versions: Mapping[str, Any]) -> list[str]:
    """Write the tables."""
    lines = [
        f"mmsa {versions['mmsa']} with PyTorch {versions['torch']} and transformers {versions['transformers']}; ours "
        f"with PyTorch {torch.__version__}. Largest relative differences in double precision.",
        "",
        "| model | weights with a gradient, of those paired | outputs | loss | gradients | set here "
        "| given to the reference |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, result in results.items():
        worst = [f"{np.max(each):.0e}" for each in (result.outputs, result.losses, result.gradients)]
        twin = TWINS[name]
        lines.append(f"| {name} | {result.weights} | {' | '.join(worst)} | {twin.needs} | {twin.given} |")
    ours, theirs = (sum(math.isnan(r.unlabelled[side]) for r in results.values()) for side in range(2))
    lines += [
        "",
        f"With one clip that has no label the loss of a batch is NaN in {theirs} of {len(results)} models of the "
        f"reference, and in {ours} of ours.",
    ]
    lines += ["", "| model | what differs without that: largest relative difference |", "|---|---|"]
    lines += [f"| {name} | {'; '.join(result.without) or '–'} |" for name, result in results.items()]
    lines += [
        "",
        "| model | places of dropout | initial values | learning rate, weight decay | our recipe for CH-SIMS |",
        "|---|---|---|---|---|",
    ]
    for name, result in results.items():
        cells = [placed(result.dropouts), *(listed(each) for each in (result.drawn, result.groups, result.recipe))]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def placed(found: Mapping[str, list[str]]) -> str:
    """Say which dropouts are in the same place."""
    parts = [f"{len(found['same'])} the same"] if found["same"] else []
    for kind, said in (("other", "another place: "), ("untried", "not tried: ")):
        parts += [said + ", ".join(f"`{name}`" for name in found[kind])] if found[kind] else []
    return "; ".join(parts) or "–"


def listed(found: list[str]) -> str:
    """List what differs."""
    return "; ".join(found) or "the same"


if __name__ == "__main__":
    sys.exit(main())
