"""Evaluation of models on simulated clips."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError, ModelError
from imlcmm.evaluation.evaluate import Report, distinct_names, evaluate, resampled, source_disjoint
from imlcmm.evaluation.oracle import oracle_scores
from imlcmm.evaluation.rules import score
from imlcmm.models import IMLCMM, LF_DNN
from imlcmm.models.inference import predict_split
from imlcmm.types import Clip, DataSpec

SMALL = {"width": 16, "tokens": 2, "heads": 2, "feedforward": 16, "fusion_depth": 1}


@pytest.fixture(scope="module")
def evaluation(simulated):
    torch.manual_seed(0)
    return evaluate([IMLCMM(simulated.spec, **SMALL), IMLCMM(simulated.spec, **SMALL)], simulated, name="two")


def test_every_head_is_scored_against_its_label_and_m(evaluation, simulated):
    heads = {"text", "audio", "vision"}
    assert heads | {f"{m} for M" for m in heads} | {"multimodal"} <= set(evaluation.scores)
    labels = simulated.test.labels.numpy()
    expected = score("simsv2", evaluation.predictions["audio"][1], labels[:, 2])
    assert evaluation.scores["audio"][1] == expected
    assert evaluation.scores["audio for M"][1]["MAE"] != expected["MAE"]


def test_mean_deviation_and_interval_agree(evaluation):
    frame = evaluation.to_frame().set_index(["head", "metric"])
    row = frame.loc[("multimodal", "MAE")]
    values = [s["MAE"] for s in evaluation.scores["multimodal"]]
    assert row["mean"] == pytest.approx(np.mean(values))
    assert row["std"] == pytest.approx(np.std(values))
    assert row["low"] < row["mean"] < row["high"]


def test_predictions_are_in_order_and_independent_of_batching(simulated):
    torch.manual_seed(0)
    model = LF_DNN(simulated.spec)
    a, b = (predict_split(model, simulated.test, size)["multimodal"] for size in (7, 40))
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_source_disjoint_clips_share_no_video(simulated):
    keep = source_disjoint(simulated, "test")
    others = set(simulated.train.videos) | set(simulated.valid.videos)
    assert [v not in others for v in simulated.test.videos] == keep.tolist()


def test_the_oracle_beats_its_parts_and_the_constant(evaluation):
    mae = {name: scores["MAE"] for name, scores in evaluation.reference.items()}
    assert mae["oracle TAV"] < min(mae["oracle T"], mae["oracle A"], mae["oracle V"]) < mae["constant"]


def test_the_gap_is_measured_from_constant_to_oracle(simulated, evaluation):
    label = simulated.test.labels[:, 0].numpy()
    constant = np.abs(label - np.median(simulated.train.labels[:, 0])).mean()
    best = oracle_scores(simulated.test)["MAE"]
    mine = np.mean([s["MAE"] for s in evaluation.scores["multimodal"]])
    assert evaluation.gap_closed == pytest.approx((constant - mine) / (constant - best), abs=1e-6)


def test_a_report_is_written_and_says_that_it_is_simulated(evaluation, tmp_path):
    Report([evaluation], {}).write(tmp_path)
    assert "Simulated data" in (tmp_path / "evaluation.md").read_text()
    content = json.loads((tmp_path / "evaluation.json").read_text())
    assert content["simulated"] is True
    assert len((tmp_path / "predictions-two.csv").read_text().splitlines()) == 41


def test_runs_are_named_by_what_tells_them_apart():
    assert distinct_names([Path("a/IMLCMM"), Path("a/MulT")]) == ["IMLCMM", "MulT"]
    assert distinct_names([Path("a/IMLCMM"), Path("b/IMLCMM"), Path("b/MulT")]) == ["a-IMLCMM", "b-IMLCMM", "b-MulT"]
    with pytest.raises(DataError, match="given twice"):
        distinct_names([Path("a/IMLCMM"), Path("b/../a/IMLCMM")])


def test_other_data_is_refused(simulated):
    spec = DataSpec({**simulated.spec.widths, "text": 5}, simulated.spec.steps)
    with pytest.raises(ModelError, match="text features"):
        evaluate([LF_DNN(spec)], simulated)


def test_tables_of_clips_without_sources_say_so(simulated, tmp_path):
    rng = np.random.default_rng(0)
    with StoreWriter(tmp_path / "a", kind="simsv2", widths={"text": 2, "audio": 2, "vision": 2}) as store:
        for split in ("train", "test"):
            for row in range(6):
                sequences = {m: rng.normal(size=(2, 2)) for m in ("text", "audio", "vision")}
                store.add(split, Clip(f"{split}-{row}", "", sequences, {"multimodal": row / 5 - 0.4}))
    unknown = load_dataset(tmp_path / "a")
    two = [evaluate([LF_DNN(unknown.spec)], unknown, name=name) for name in "ab"]
    assert not any("source-disjoint" in head for head in two[0].scores)
    text = Report.of(two).markdown
    assert text.count("over clips, as their source is unknown") == 2
    assert "source videos" not in text
    torch.manual_seed(0)
    assert "over source videos" in Report.of([evaluate([LF_DNN(simulated.spec)], simulated, name="c")]).markdown


def test_a_caption_says_what_the_intervals_are_over(evaluation, simulated):
    torch.manual_seed(1)
    alone = evaluate([LF_DNN(simulated.spec)], simulated, name="one")
    assert resampled([evaluation]) == "source videos and seeds"
    assert resampled([alone]) == "source videos, of one seed alone"
    assert resampled([evaluation, alone]) == "source videos and, where a run has several, seeds"
    assert "95 % interval over source videos, of one seed alone." in Report.of([alone]).markdown


def test_seeds_that_say_the_same_of_every_clip_are_named(evaluation):
    first, second = evaluation.predictions["multimodal"]
    varying = np.linspace(-1, 1, len(first))
    found = replace(evaluation, predictions={"multimodal": np.stack([varying, np.full_like(second, 0.1)])})
    assert found.constant_seeds == 1
    (sentence,) = Report.of([found]).constants
    assert "two: 1 of 2 seeds" in sentence
    assert sentence in Report.of([found]).markdown
    assert not replace(evaluation, predictions={"multimodal": np.stack([varying] * 2)}).constant_seeds
