"""The starter model of the package, which reads text alone and says so."""

import numpy as np
import pytest

from clips import Sound, make_clip
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.prediction.predictor import STARTER, UNTRAINED, Predictor


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load(options=ExtractorOptions(transcribe=False))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    noise = np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10
    return make_clip(tmp_path_factory.mktemp("clip") / "a.wav", Sound(noise, codec="pcm_s16le"))


@pytest.mark.parametrize(("text", "sign"), [("非常喜欢，值得推荐", 1), ("太差了，非常失望，不要买", -1)])
def test_plain_opinions_are_on_their_side(predictor, clip, text, sign):
    (utterance,) = predictor(clip, transcript=text).utterances
    assert sign * utterance.sentiment > 0.3
    assert utterance.confidence > 0.6
    assert set(utterance.unimodal) == {"text"}
    assert utterance.missing == {"audio": UNTRAINED, "vision": UNTRAINED}
    assert utterance.agreement == ""
    assert utterance.moments == ()
    assert all(sign * each.change > 0 for each in utterance.contributions)


def test_without_words_there_is_no_number(predictor, clip):
    (utterance,) = predictor(clip).utterances
    assert utterance.sentiment is None
    assert utterance.missing["text"] == "there are no words"


def test_it_is_small_and_has_a_card():
    assert sum(file.stat().st_size for file in STARTER.iterdir()) < 8 * 2**20
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    assert "reads text alone" in card
    assert "AI Act" in card
