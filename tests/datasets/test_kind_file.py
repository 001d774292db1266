"""Kinds of one's own, from the file to predictions in its range."""

import json

import numpy as np
import pytest
import torch
import yaml
from field_files import field_file, field_split

from imlcmm.calibration import read_calibration
from imlcmm.datasets.convert import convert
from imlcmm.datasets.kind_file import describe_kind, parse_kind, read_kind
from imlcmm.datasets.labels.label_file import find_clips
from imlcmm.datasets.loading import load_dataset
from imlcmm.errors import DataError
from imlcmm.evaluation.evaluate import evaluate_runs
from imlcmm.evaluation.rules import score
from imlcmm.models import IMLCMM, LF_DNN
from imlcmm.models.curve_fitting import fit_curve
from imlcmm.reports.page.report_page import write_report
from imlcmm.training.fit import TrainerOptions, train_seeds
from imlcmm.training.module import Optimization

FIVE = "name: course\ntitle: Course feedback\nlow: 1\nhigh: 5\nneutral: 3\nlabel: satisfaction\n"
SHARE = "name: valence\nlow: 0\nhigh: 1\nlabel: satisfaction\n"


def kind_file(folder, text):
    (folder / "kind.yaml").write_text(text)
    return folder / "kind.yaml"


def pickle_of(path, low, high):
    content = {}
    for name, clips in (("train", 30), ("valid", 24), ("test", 20)):
        split = {k: v for k, v in field_split(name, clips).items() if not k.startswith("regression")}
        content[name] = split | {"satisfaction": np.random.default_rng(clips).uniform(low, high, clips)}
    return field_file(path, content)


@pytest.mark.parametrize(("text", "low", "high"), [(FIVE, 1, 5), (SHARE, 0, 1)])
def test_a_store_needs_the_file_no_more(tmp_path, text, low, high, monkeypatch):
    rules = kind_file(tmp_path, text)
    store = convert(pickle_of(tmp_path / "own.pkl", low, high), tmp_path / "store", kind=rules, progress=False)
    expected = read_kind(rules)
    rules.unlink()
    data = load_dataset(store)
    assert data.rules == expected
    assert (data.spec.low, data.spec.high, data.spec.neutral) == (low, high, (low + high) / 2)
    runs = []
    for model, options in ((LF_DNN, {}), (IMLCMM, {"width": 16, "tokens": 2, "heads": 2, "feedforward": 16})):
        run = train_seeds(
            lambda model=model, options=options: model(data.spec, **options), data, Optimization(epochs=1),
            seeds=(1,), folder=tmp_path / model.__name__, trainer=TrainerOptions(accelerator="cpu", progress=False),
        )  # fmt: skip
        curve = read_calibration(run.seeds[0] / "best").curve("multimodal", ("text", "audio", "vision"))
        assert curve.neutral == data.spec.neutral
        runs.append(run.folder)
    report = evaluate_runs(runs, data)
    assert list(report.evaluations[0].scores["multimodal"][0]) == list(expected.metrics)
    predicted = report.evaluations[0].predictions["multimodal"]
    assert abs(predicted.mean() - data.spec.neutral) < (high - low) / 3
    write_report(runs, data, tmp_path / "page.html", "test")
    assert f"same side of {data.spec.neutral:g}" in (tmp_path / "page.html").read_text()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name: mosi\nlow: 1\nhigh: 5", "'name': mosi is a kind of the field"),
        ("name: x\nlow: 5\nhigh: 1", "'high': it is 1"),
        ("name: x\nlow: yes\nhigh: 5", "'low': True is no number"),
        ("name: x\nlow: 1\nhigh: .inf", "'high': inf is no number"),
        ("name: x\nlow: .nan\nhigh: 2", "'low': nan is no number"),
        ("name: x\nlow: 1\nhigh: 5\ncolour: 3", "no key 'colour'"),
        ("name: x\nlow: 1\nhigh: 5\nneutral: 5", "'neutral': it is 5"),
        ("name: x\nlow: 1\nhigh: 5\nclass_edges: [3, 2]", "'class_edges': the numbers must rise"),
        ("name: x\nlow: 1\nhigh: 5\nclass_edges: [3]\nclass_centres: [1, 2]", "'class_centres': each of the 2"),
        ("name: x\nlow: 1\nhigh: 5\nmetrics: [Acc9]", "'metrics': .*Acc5, F1_5, MAE"),
        ("name: x\nlow: 1\nhigh: 5\nrecipes: ../..", "'recipes': it is '../..'"),
        ("name: ../x\nlow: 1\nhigh: 5", "'name': it is '../x'"),
        ("name: x\nlow: 1\nhigh: 5\nunimodal: {text: t}", "'label': it is missing"),
        ("name: x\nlow: 1\nhigh: 5\nlabel: [a]", "no name of a key or column"),
        ("name: !!python/object/apply:os.system [true]", "is no plain YAML"),
        ("[" * 9000, "is no plain YAML"),
        ("#" * 20000, "larger than"),
        ("- 1", "list of keys and values"),
        ("name: x\nlow: 1\nhigh: 5\n? [a]\n: 3", "no key|is no plain YAML"),
    ],
)
def test_mistakes_are_told_in_a_line(tmp_path, text, message):
    with pytest.raises(DataError, match=message) as caught:
        read_kind(kind_file(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_a_described_kind_is_read_again_as_it_was():
    kind = parse_kind({"name": "x", "low": 0, "high": 1, "label": "v", "unimodal": {"text": "t"}, "neutral": 0.4}, "")
    assert parse_kind(json.loads(json.dumps(describe_kind(kind))), "") == kind
    assert len(kind.class_centres) == 5


def test_a_strangers_store_is_checked_like_a_file(tmp_path):
    store = convert(
        pickle_of(tmp_path / "own.pkl", 1, 5), tmp_path / "store", kind=kind_file(tmp_path, FIVE), progress=False
    )
    manifest = json.loads((store / "dataset.json").read_text())
    manifest["rules"]["low"] = 9
    (store / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match=r"dataset.json, key 'high'"):
        load_dataset(store)
    del manifest["rules"]
    (store / "dataset.json").write_text(json.dumps(manifest))
    with pytest.raises(DataError, match="nothing tells the rules of its kind 'course'"):
        load_dataset(store)


def test_a_missing_label_key_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no key 'satisfaction', which the kind names; it has .*regression_labels"):
        convert(field_file(tmp_path / "x.pkl"), tmp_path / "s", kind=kind_file(tmp_path, FIVE), progress=False)


def test_an_exported_pickle_carries_its_rules(tmp_path):
    source = pickle_of(tmp_path / "own.pkl", 1, 5)
    store = convert(source, tmp_path / "store", kind=kind_file(tmp_path, FIVE), progress=False)
    back = load_dataset(convert(convert(store, tmp_path / "out.pkl", progress=False), tmp_path / "b", progress=False))
    assert (back.rules.name, back.rules.metrics) == ("course", read_kind(kind_file(tmp_path, FIVE)).metrics)
    assert torch.equal(back.test.labels[:, 0], load_dataset(store).test.labels[:, 0])


def test_a_label_file_is_read_by_the_kinds_columns(tmp_path):
    (tmp_path / "label.csv").write_text("video_id,clip_id,text,satisfaction,label,mode\nv,1,x,4,0,test\n")
    (clip,) = find_clips(tmp_path, tmp_path / "label.csv", parse_kind(yaml.safe_load(FIVE), ""))
    assert clip.labels == {"multimodal": 4.0}


def test_scores_and_confidence_part_at_neutral():
    kind = parse_kind({"name": "x", "low": 1, "high": 5, "neutral": 3}, "")
    label, predicted = np.array([1.0, 2, 4, 5]), np.array([1.2, 2.9, 3.1, 7.0])
    found = score(kind, predicted, label)
    assert list(found) == ["Acc2", "F1", "Acc5", "F1_5", "MAE", "Corr", "R2"]
    assert (found["Acc2"], found["Acc5"]) == (1.0, 0.5)
    assert found["MAE"] == pytest.approx(0.5)
    draw = np.random.default_rng(0)
    label = draw.uniform(-2, 2, 400)
    predicted = label + draw.normal(0, 0.5, 400)
    here, there = fit_curve(predicted, label), fit_curve(predicted + 3, label + 3, 3.0)
    assert here.confidence(1.0) == pytest.approx(there.confidence(4.0), abs=1e-3)
