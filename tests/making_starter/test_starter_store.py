"""The data set of the starter model: never encoded twice, and reviews graded on their own side."""

import numpy as np
import pytest

from imlcmm.datasets.loading import load_dataset
from imlcmm.features.feature_set import FeatureSet
from imlcmm.features.text.encoder import TextFeatures
from starter import encoding
from starter.grading import fit_grader
from starter.measure import Measured, coverage, deletion, same_side
from starter.store import write_store
from starter.texts import Text, digest
from starter.transfer import measure_transfer


class CountingExtractor:
    """Gives each text a row a letter, the first of them its sentiment, and may stop early."""

    features = FeatureSet("letters-2", "text", ("a", "b"), ("1", "1"), None, "test")

    def __init__(self, patience: int = 10**6) -> None:
        self.seen: list[str] = []
        self.patience = patience

    def __call__(self, texts):
        if len(self.seen) >= self.patience:
            raise KeyboardInterrupt
        self.seen += texts
        return [self._features(text) for text in texts]

    def _features(self, text):
        steps = 0 if text.startswith("#") else len(text)
        states = np.zeros((steps, 2), np.float32)
        states[:] = (text.count("+") - text.count("-")) / 4
        return TextFeatures(states, np.ones((steps, 3), np.int64), (), np.zeros((steps, 2), int))


def texts():
    """Rated texts whose signs are their sentiment, and reviews of which only the side is known."""
    draw = np.random.default_rng(0)
    found = []
    for i in range(60):
        size = int(draw.integers(-4, 5))
        said = f"text {i} " + ("+" if size > 0 else "-") * abs(size)
        found.append(Text("tweet", digest(said), str(i), said, size / 4, "en"))
        found.append(Text("review", digest(said + "r"), str(i), said, 1.0 if size > 0 else -1.0, "zh"))
    return [*found, Text("talk", digest("#"), "0", "#", 0.0, "en")]


def test_reviews_are_graded_on_their_side_and_the_rest_as_people_did(tmp_path):
    written = write_store(tmp_path / "store", texts(), CountingExtractor(), notes={"x": 1})
    assert written["without a token"] == 1
    assert sum(written.values()) == 121
    data = load_dataset(tmp_path / "store")
    assert min(measure_transfer(data)) > 0.6
    known = {text.identifier: text for text in texts()}
    graded = []
    for split in (data.train, data.valid, data.test):
        for identifier, (label, of_text, *_) in zip(split.ids, np.asarray(split.labels), strict=True):
            assert label == of_text
            if known[identifier].domain == "review":
                assert label * known[identifier].label > 0
                graded.append(abs(float(label)))
            else:
                assert label == pytest.approx(known[identifier].label)
    assert len({round(grade, 2) for grade in graded}) > 5, "not at the poles, but graded"


def test_a_stopped_run_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(encoding, "PIECE", 20)
    stopped, resumed, whole = CountingExtractor(patience=60), CountingExtractor(), CountingExtractor()
    with pytest.raises(KeyboardInterrupt):
        write_store(tmp_path / "store", texts(), stopped, notes={})
    assert not (tmp_path / "store").exists()
    write_store(tmp_path / "store", texts(), resumed, notes={})
    write_store(tmp_path / "whole", texts(), whole, notes={})
    assert stopped.seen + resumed.seen == whole.seen
    for split in ("train", "valid", "test"):
        name = f"{split}.safetensors"
        assert (tmp_path / "store" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_grade_has_the_distribution_that_is_left_on_its_side():
    draw = np.random.default_rng(1)
    pooled = draw.normal(size=(4000, 3))
    label = 0.2 * pooled[:, 0] + draw.normal(0, 0.3, 4000)
    grader = fit_grader(pooled[:2000], label[:2000], pooled[2000:], label[2000:])
    assert grader.error == pytest.approx(0.3, abs=0.02)
    one = np.array([-1.0, 0.0, 0.0])
    near = np.abs(pooled[:, 0] + 1) < 0.2
    truly = label[near & (label > 0)]
    assert grader.given_side(one, 1.0) == pytest.approx(truly.mean(), abs=0.05)
    shares = [grader.given_side(one, 1.0, share) for share in (0.1, 0.5, 0.9)]
    assert shares == pytest.approx(np.quantile(truly, [0.1, 0.5, 0.9]), abs=0.07)
    assert grader.given_side(one, -1.0) < grader.given_side(one, -1.0, 0.01) * 0 - 0.1


def measured(**changes):
    count = 30
    value = np.linspace(-0.9, 0.9, count)
    parts = dict(
        domains=np.array(["tweet"] * count), chinese=np.arange(count) % 2 == 0, spoken=np.zeros(count, bool),
        names=np.arange(count).astype(str), texts=np.array(["x"] * count), label=value, value=value,
        low=value - 0.1, high=value + 0.1, confidence=np.full(count, 0.9),
    )  # fmt: skip
    return Measured(**{**parts, **changes})


def test_coverage_is_told_by_thirds_and_languages():
    low = np.where(np.arange(30) < 10, 2.0, -1.0)
    found = coverage(measured(low=low, domains=np.array(["tweet"] * 28 + ["editorial"] * 2)))
    assert found["lowest third"] < 0.2
    assert found["highest third"] == 1.0
    assert found["Chinese"] == pytest.approx(9 / 14)
    assert found["editorials (never trained on)"] == 1.0


def test_a_side_is_kept_where_both_forms_stand_on_it():
    names, spoken = np.array(["a", "b", "a", "b"] + ["c"] * 26), np.array([False, False, True, True] + [False] * 26)
    value = np.array([0.5, 0.5, 0.3, -0.1] + [0.0] * 26)
    assert same_side(measured(names=names, spoken=spoken, value=value)) == 0.5


def test_deletion_compares_the_named_word_with_another():
    said = {"good": 0.8, "day": 0.1, "bad": -0.5}

    def value(text):
        return sum(said.get(word, 0.0) for word in text.split())

    def named(text):
        return max(text.split(), key=lambda word: abs(said.get(word, 0.0)))

    change, other, count = deletion(["good day", "bad day", "good"], named, value, str.split)
    assert (change, other, count) == (pytest.approx(0.65), pytest.approx(0.1), 2)
