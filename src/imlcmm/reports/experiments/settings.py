"""The settings of the paper's experiments and of those beyond it, each a list of rows."""

from collections.abc import Sequence
from itertools import product

import numpy as np

from imlcmm.reports.experiments.runs import Setting

FULL = "full"
WEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)
FEW_CLIPS = (64, 150, 300)
SHARES = (0.05, 0.1, 0.25, 0.5, 1.0)
_LETTERS = {"T": "text_weight", "A": "audio_weight", "V": "vision_weight"}

SEMI_SUPERVISED = (
    Setting("IML-CMM"),
    Setting("IML-CMM + unlabelled", unlabelled=True, against="IML-CMM"),
    Setting("AV-MC", model="AV_MC"),
    Setting("AV-MC + unlabelled", model="AV_MC", unlabelled=True, against="AV-MC"),
)
"""Table 3: what unlabelled clips add."""

ABLATIONS = (
    Setting(FULL),
    Setting("MLP for KAN", options={"connector": "mlp"}, against=FULL),
    Setting("no UFA", options={"unimodal_heads": "false"}, against=FULL),
    Setting("no mixup-A", options={"mixup_audio_weight": 0}, against=FULL),
    Setting("no mixup-V", options={"mixup_vision_weight": 0}, against=FULL),
    Setting("no AHL", options={"hyper_modality": "false"}, against=FULL),
)
"""Table 4: IML-CMM without one component each."""


def _tasks(letters: str) -> Setting:
    """Train the heads of some modalities beside the fused one; without any there is no head at all."""
    if letters == "MTAV":
        return Setting(letters)
    if letters == "M":
        return Setting(letters, options={"unimodal_heads": "false"}, against="MTAV")
    left_out = {option: 0 for letter, option in _LETTERS.items() if letter not in letters}
    return Setting(letters, options=left_out, against="MTAV")


_POOLED = {"head_reads_pooled": "true"}
LEVERS = (
    Setting(FULL),
    Setting("pooled", options=_POOLED, against=FULL),
    Setting("pooled, average", options=_POOLED, optimization={"average": 0.99}, against="pooled"),
    Setting("pooled, Huber", options={**_POOLED, "huber": 0.5}, against="pooled"),
    Setting("pooled, concordance", options={**_POOLED, "concordance_weight": 0.5}, against="pooled"),
    Setting("pooled, fused mixup", options={**_POOLED, "mixup_fused_weight": 0.5}, against="pooled"),
    Setting("pooled, modality dropout", options=_POOLED, optimization={"modality_dropout": 0.1}, against="pooled"),
    Setting("pooled, slower extractors", options={**_POOLED, "extractor_lr": 2.5e-4}, against="pooled"),
    Setting("pooled, no warm-up", options=_POOLED, optimization={"warmup": 0.0}, against="pooled"),
    Setting("pooled, constant rate", options=_POOLED, optimization={"schedule": "constant"}, against="pooled"),
    Setting("pooled, taught", options=_POOLED, teachers="IMLCMM-head_reads_pooled=true", against="pooled"),
)
"""What goes beyond the paper: a head that reads the pooled modalities too, and with it one lever at a time."""

TASKS = tuple(map(_tasks, ("M", "MV", "MT", "MA", "MTA", "MAV", "MTV", "MTAV")))
"""Table 5, figures 4 and 5: which modalities have heads and losses of their own."""


def models(names: Sequence[str]) -> list[Setting]:
    """Give a setting a model."""
    return [Setting(name, model=name) for name in names]


def weightings(count: int, seed: int = 0) -> list[Setting]:
    """Draw the weights of the four tasks at random, without drawing a weighting twice (figure 6).

    Args:
        count: How many; at most 625.
        seed: Seed of the draw.
    """
    every = list(product(WEIGHTS, repeat=1 + len(_LETTERS)))
    names = ("multimodal_weight", *_LETTERS.values())
    chosen = np.random.default_rng(seed).permutation(len(every))[:count]
    return [
        Setting(" ".join(f"{letter} {weight:g}" for letter, weight in zip("MTAV", every[i], strict=True)),
                options=dict(zip(names, every[i], strict=True)))
        for i in chosen
    ]  # fmt: skip


def few_clips(counts: Sequence[int] = FEW_CLIPS) -> list[Setting]:
    """Train the plainest of the models, IML-CMM, and what goes beyond its paper, on few labelled clips."""
    names = {"LF-DNN": "LF_DNN", "IML-CMM": "IMLCMM", "IML-CMM+": "IMLCMM+"}
    return [
        Setting(f"{name}, {n}", model=model, few_clips=n, against=None if model == "LF_DNN" else f"LF-DNN, {n}")
        for n in counts
        for name, model in names.items()
    ]


def label_shares() -> list[Setting]:
    """Train on a share of the labels, without and with unlabelled clips."""
    pairs = [
        (
            Setting(f"{share:.0%}", label_share=share),
            Setting(f"{share:.0%} + unlabelled", label_share=share, unlabelled=True, against=f"{share:.0%}"),
        )
        for share in SHARES
    ]
    return [setting for pair in pairs for setting in pair]
