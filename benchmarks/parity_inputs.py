"""What both sides read when benchmarks/parity.py compares them: an encoder, batches, and the reference's jobs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from parity_tables import MISA_WIDTH, WIDTHS, Twin
from torch import Tensor

from imlcmm.types import MODALITIES, Batch

STEPS = {"text": 6, "audio": 12, "vision": 18}
LENGTHS = {"text": (6, 5, 4, 6, 5, 4, 5), "audio": (12, 9, 5, 7, 11, 8, 10), "vision": (18, 11, 9, 14, 7, 6, 16)}
CLIPS = len(LENGTHS["text"])
BATCHES = ("full", "padded", "second", "third")
VOCABULARY = 50
OUTPUTS = {"T": "text", "A": "audio", "V": "vision"}
ENCODERS = {"bert-base-chinese": WIDTHS["text"], "wide": MISA_WIDTH}
LOADED = ("bertmodel.", "text_model.", "model.bert.embeddings.", "model.bert.encoder.", "model.bert.pooler.")


def write_encoder(folder: Path, width: int) -> None:
    """Write a small BERT, drawn at random, and the words that its tokenizer asks for."""
    from transformers import BertConfig, BertModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    torch.manual_seed(width)
    config = BertConfig(
        vocab_size=VOCABULARY, hidden_size=width, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=16, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
    )  # fmt: skip
    BertModel(config).float().save_pretrained(folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *(f"w{i}" for i in range(5, VOCABULARY))]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")


def given_batches(twin: Twin) -> dict[str, np.ndarray]:
    """Make the arrays of all batches that the reference reads, by BATCH/FIELD."""
    batches = {name: feed(twin, make_batch(twin, name)) for name in BATCHES}
    padded, full = make_batch(twin, "padded"), make_batch(twin, "full")
    batches |= {"raw": feed(twin, padded, raw=True), "scrambled": feed(twin, full, raw=True)}
    batches |= {f"clip{i}": feed(twin, clip(padded, i)) for i in range(CLIPS)}
    batches["unlabelled"] = feed(twin, unlabelled(full))
    return {f"{name}/{field}": values for name, fields in batches.items() for field, values in fields.items()}


def unlabelled(batch: Batch) -> Batch:
    """Take the labels from the first clip."""
    none = torch.arange(len(batch.row)) == 0
    others = {m: label.masked_fill(none, torch.nan) for m, label in batch.unimodal_labels.items()}
    return batch._replace(label=batch.label.masked_fill(none, torch.nan), unimodal_labels=others)


def job(twin: Twin) -> dict[str, Any]:
    """Say what the reference is to run."""
    args = {}
    for (ours, theirs), value in twin.knobs.items():
        args |= dict.fromkeys((theirs, *twin.ties.get(ours, ())), value) if value is not None else {}
    seq_lens = [STEPS["text"], 1, 1] if twin.feed == "means" else list(STEPS.values())
    args |= {
        "feature_dims": [twin.text_width, WIDTHS["audio"], WIDTHS["vision"]],
        "seq_lens": seq_lens,
        "train_samples": 2 * CLIPS,
        "pretrained": "wide" if twin.text_width == MISA_WIDTH else "bert-base-chinese",
        **twin.args,
    }
    padded = [f"clip{i}" for i in range(CLIPS)] if twin.apart else ["padded"]
    cases: dict[str, Any] = {
        "full": {"batches": ["full"], "rows": CLIPS},
        "padded": {"batches": padded, "rows": 1 if twin.apart else CLIPS},
        "raw": {"batches": ["raw"], "rows": CLIPS},
        "scrambled": {"batches": ["scrambled"], "rows": CLIPS},
        "unlabelled": {"batches": ["unlabelled"], "rows": CLIPS},
    }
    if ("text_kernel", "conv1d_kernel_size_l") in twin.knobs:
        kernels = {f"conv1d_kernel_size_{letter}": 3 for letter in "lav"}
        cases["kernels"] = {"batches": ["full"], "rows": CLIPS, "args": kernels}
    for ours, theirs in dropouts(twin):
        all_dropped = dict.fromkeys((theirs, *twin.ties.get(ours, ())), 1.0)
        cases[f"drop {ours}"] = {"batches": ["full"], "rows": CLIPS, "args": all_dropped, "train": True}
    return {
        "args": args, "cases": cases, "steps": trained_on(twin), "runs": twin.runs, "tokens": twin.tokens,
        "loaded": list(LOADED),
    }  # fmt: skip


def trained_on(twin: Twin) -> list[str]:
    """Name the batches of training: MMIM's entropy begins in the third, Self_MM keeps labels of all clips."""
    if twin.apart:
        return ["full"]
    return {1: ["padded"], 2: ["padded", "second", "third"], 4: ["padded", "second"]}[twin.runs]


def dropouts(twin: Twin) -> Iterator[tuple[str, str]]:
    """List the dropouts that both have."""
    return (knob for knob in twin.knobs if "dropout" in knob[0] and knob[0] not in twin.undroppable)


def make_batch(twin: Twin, name: str) -> Batch:
    """Draw a batch; padding is zero."""
    number = BATCHES.index(name)
    generator = torch.Generator().manual_seed(number)
    lengths = {m: torch.tensor(LENGTHS[m] if number else [STEPS[m]] * CLIPS) for m in MODALITIES}
    masks = {m: torch.arange(STEPS[m]) < lengths[m].unsqueeze(1) for m in MODALITIES}
    sequences = {
        m: torch.randn(CLIPS, STEPS[m], WIDTHS[m], generator=generator) * masks[m].unsqueeze(-1) for m in MODALITIES
    }
    ids = torch.randint(5, VOCABULARY, masks["text"].shape, generator=generator) * masks["text"]
    label, *unimodal = torch.rand(4, CLIPS, generator=generator) * 2 - 1
    label[:2], label[2:4] = label[:2].abs(), -label[2:4].abs()
    first = CLIPS * max(number - 1, 0)
    return Batch(
        **sequences,
        masks=masks,
        label=label,
        unimodal_labels=dict(zip(MODALITIES, unimodal, strict=True)),
        row=torch.arange(first, first + CLIPS),
        tokens=torch.stack([ids, masks["text"].long(), torch.zeros_like(ids)], dim=1) if twin.tokens else None,
    )


def clip(batch: Batch, place: int) -> Batch:
    """Take one clip twice, without its padding: some models of the reference cannot read a single clip."""
    rows = [place, place]
    real = {m: int(batch.masks[m][place].sum()) for m in MODALITIES}
    return Batch(
        **{m: batch.sequence(m)[rows, : real[m]] for m in MODALITIES},
        masks={m: batch.masks[m][rows, : real[m]] for m in MODALITIES},
        label=batch.label[rows],
        unimodal_labels={m: label[rows] for m, label in batch.unimodal_labels.items()},
        row=batch.row[rows],
        tokens=None if batch.tokens is None else batch.tokens[rows, :, : real["text"]],
    )


def feed(twin: Twin, batch: Batch, *, raw: bool = False) -> dict[str, np.ndarray]:
    """Give a batch the form that the reference reads; raw is as its own loading would have it."""
    text = batch.text if batch.tokens is None else batch.tokens.double()
    found = {"text": text, "index": batch.row, "labels/M": batch.label}
    found |= {f"labels/{letter}": batch.unimodal_labels[m] for letter, m in OUTPUTS.items()}
    for m in ("audio", "vision"):
        sequence, mask = batch.sequence(m), batch.masks[m]
        if twin.feed == "means":
            total = sequence.sum(1, keepdim=True)
            found[m] = total / (sequence.shape[1] if raw else mask.sum(1).view(-1, 1, 1))
        elif twin.feed == "windows" and not raw:
            found[m] = neighbours(sequence, batch.text.shape[1])
        else:
            found[m] = sequence
        found[f"{m}_lengths"] = mask.sum(1)
    return {name: value.numpy() for name, value in found.items()}


def neighbours(sequence: Tensor, steps: int) -> Tensor:
    """Order frames so that every steps-th of them make a window of neighbours; the last frame fills the last window."""
    size = -(-sequence.shape[1] // steps)
    missing = size * steps - sequence.shape[1]
    filled = torch.cat([sequence, sequence[:, -1:].expand(-1, missing, -1)], dim=1)
    return filled.unflatten(1, (steps, size)).transpose(1, 2).flatten(1, 2)
