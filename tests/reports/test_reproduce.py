"""The experiments: each trains what is missing, says on which data it ran, and writes four files."""

from copy import copy
from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr

from imlcmm.errors import DataError
from imlcmm.evaluation.evaluate import Evaluation, evaluate
from imlcmm.reports.experiments.conflict import conflict, disagree
from imlcmm.reports.experiments.findings import Findings
from imlcmm.reports.experiments.laboratory import Laboratory
from imlcmm.reports.experiments.reproduce import EXPERIMENTS
from imlcmm.reports.experiments.robustness import strongest
from imlcmm.reports.experiments.runs import Setting
from imlcmm.reports.experiments.settings import FULL
from imlcmm.reports.experiments.weightings import correlate

TINY = ["--optimization.epochs=1", "--model.width=16", "--model.heads=2", "--model.tokens=2", "--model.fusion_depth=1"]
FILES = ("md", "csv", "tex", "png")


@pytest.fixture(scope="module")
def two_models(simulated, tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return Laboratory(simulated, folder, ["LF_DNN", "MLF_DNN"], seeds=2, jobs=2, options=["--optimization.epochs=1"])


@pytest.fixture(scope="module")
def iml_cmm(simulated, tmp_path_factory):
    return Laboratory(simulated, tmp_path_factory.mktemp("iml"), ["IMLCMM"], seeds=1, jobs=2, draws=3, options=TINY)


def written(lab, name):
    return all((lab.folder / f"{name}.{ending}").stat().st_size > 100 for ending in FILES)


def test_table1_counts_the_classes(two_models, simulated):
    text = EXPERIMENTS["table1"](two_models)
    assert "SIMULATED" in text
    assert written(two_models, "table1")
    counts = pd.read_csv(two_models.folder / "table1.csv", index_col="split")
    assert counts.loc["train", "NEG":"POS"].sum() == counts.loc["train", "clips"] == len(simulated.train)
    label = simulated.test.labels[:, 0].numpy()
    assert counts.loc["test", "NEG"] == (label < -0.75).sum()


def test_table2_stands_beside_what_was_published(two_models):
    text = EXPERIMENTS["table2"](two_models)
    assert text.index("LF_DNN") < text.index("As published") < text.index("83.85")
    assert written(two_models, "table2")


def test_robustness_compares_with_clean_clips_and_trains_nothing_anew(two_models):
    EXPERIMENTS["table2"](two_models)
    checkpoint = two_models.runs / "LF_DNN" / "seed-1111" / "last.ckpt"
    before = checkpoint.stat().st_mtime_ns
    text = EXPERIMENTS["robustness"](replace(two_models, models=["LF_DNN"]))
    assert checkpoint.stat().st_mtime_ns == before
    assert "text missing" in text
    assert written(two_models, "robustness")
    frame = pd.read_csv(two_models.folder / "robustness.csv")
    models = two_models.load(Setting("LF_DNN", model="LF_DNN"))
    clean = evaluate(models, two_models.data).mean("MAE")
    mine = frame[(frame["model"] == "LF_DNN") & (frame["metric"] == "MAE")]
    assert mine["clean"].tolist() == pytest.approx([clean] * len(mine))
    assert (mine["mean"] - mine["clean"]).tolist() == pytest.approx(mine["difference"].tolist())
    assert mine["difference"].abs().max() > 0


def test_a_sure_damage_stays_sure_among_many_models():
    rows = [
        {"model": f"m{m}", "corruption": f"c{c}", "severity": s, "metric": "MAE", "p": 0.002 if c else 0.04}
        for m, c, s in product(range(16), range(9), (0.5, 1.0))
    ]
    worst = strongest(pd.DataFrame(rows))
    assert worst["severity"].tolist() == [1.0] * 144
    assert worst[worst["corruption"] != "c0"]["p"].tolist() == [pytest.approx(p) for p in [0.018] * 128]
    assert worst[worst["corruption"] == "c0"]["p"].tolist() == [pytest.approx(0.04)] * 16


def test_conflict_and_agreement_are_all_clips(two_models, simulated, monkeypatch):
    text = EXPERIMENTS["conflict"](two_models)
    # What is trained and scored once is neither looked at nor scored again.
    monkeypatch.setattr("imlcmm.reports.experiments.runs.subprocess.run", None)
    monkeypatch.setattr("imlcmm.reports.experiments.laboratory.evaluate", None)
    assert EXPERIMENTS["conflict"](two_models) == text
    marked = disagree(simulated.test)
    assert f"{marked.sum()} test clips" in text
    assert f"{(~marked).sum()} test clips" in text
    alone = simulated.test.labels[:, 1:].numpy()[marked]
    assert (alone.min(1) < 0).all()
    assert (alone.max(1) > 0).all()


def test_conflict_needs_unimodal_labels(simulated, tmp_path):
    blind = copy(simulated)
    blind.spec = replace(simulated.spec, unimodal_labels=False)
    with pytest.raises(DataError, match="no unimodal labels"):
        conflict(Laboratory(blind, tmp_path, ["LF_DNN"]))


@pytest.mark.slow
def test_table4_says_what_each_component_does(iml_cmm):
    text = EXPERIMENTS["table4"](iml_cmm)
    assert written(iml_cmm, "table4")
    assert text.count(f" {FULL}: MAE ") == 5
    assert "no AHL" in text
    assert "82.3" in text  # the paper's row of the MLP
    frame = pd.read_csv(iml_cmm.folder / "table4.csv")
    assert frame.query("head == 'multimodal' and metric == 'MAE'")["mean"].nunique() > 1


def test_figure6_correlates_what_it_lists(iml_cmm):
    EXPERIMENTS["figure6"](iml_cmm)
    assert written(iml_cmm, "figure6")
    table = pd.read_csv(iml_cmm.folder / "figure6.csv")
    assert len(table) == 3
    weights = ["multimodal_weight", "text_weight", "audio_weight", "vision_weight"]
    found, p_values = correlate(table, weights, ["MAE"])
    assert found.loc["T", "MAE"] == pytest.approx(np.corrcoef(table["text_weight"], table["MAE"])[0, 1])
    alone = [pearsonr(table[weight], table["MAE"]).pvalue for weight in weights]
    assert p_values["MAE"].min() == pytest.approx(min(1.0, 4 * min(alone)))
    assert (p_values["MAE"].to_numpy() >= alone).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["table3", "table5", "figure4", "figure5", "label-efficiency", "few-clips", "levers"])
def test_the_longer_experiments(iml_cmm, name):
    lab = replace(iml_cmm, options=["--optimization.epochs=1"]) if name == "table3" else iml_cmm
    lab = replace(lab, folder=iml_cmm.folder.with_name("apart")) if name == "table3" else lab
    text = EXPERIMENTS[name](lab)
    assert ("valid clips" in text) == (name == "levers")
    assert "SIMULATED" in text
    assert "is missing" not in text
    assert written(lab, name)


def evaluation(name, errors, draws):
    scores = [{"MAE": error} for error in errors]
    predictions = {"multimodal": np.zeros((len(errors), 3))}
    return Evaluation(name, "simsv2", False, predictions, np.zeros((3, 4)), list("abc"), list("abc"),
                      {"multimodal": scores}, {"multimodal": {"MAE": draws}}, {})  # fmt: skip


def test_a_difference_is_only_claimed_where_the_test_supports_it():
    noise = np.random.default_rng(0).normal(size=1000)
    settings = [Setting("full"), Setting("worse", against="full"), Setting("same", against="full")]
    found = {
        "full": evaluation("full", [0.30, 0.32], 0.31 + 0.01 * noise),
        "worse": evaluation("worse", [0.40, 0.38], 0.39 + 0.01 * noise[::-1]),
        "same": evaluation("same", [0.31, 0.315], 0.3125 + 0.01 * noise[::-1]),
    }
    worse, same = Findings("x", "A title", "data", settings, found, {}).verdicts()
    assert worse.startswith("worse is worse than full: MAE +0.080")
    assert "2 of 2 seeds" in worse
    assert same.startswith("same cannot be told from full")
    assert "1 of 2 seeds" in same
