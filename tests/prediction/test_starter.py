"""The starter model of the package, which reads text alone and says so."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from clips import Sound, make_clip
from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.prediction.networks.checkpoint import CheckpointNetwork
from imlcmm.prediction.networks.onnx_copy import load_copy
from imlcmm.prediction.networks.onnx_export import largest_difference
from imlcmm.prediction.predictor import STARTER, UNTRAINED, Predictor


@pytest.fixture(scope="module")
def predictor():
    return Predictor.load(options=ExtractorOptions(transcribe=False))


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    noise = np.random.default_rng(0).normal(size=16_000).astype(np.float32) / 10
    return make_clip(tmp_path_factory.mktemp("clip") / "a.wav", Sound(noise, codec="pcm_s16le"))


@pytest.fixture
def said(predictor, clip):
    """Say what the starter says of a text."""

    def of(text):
        (utterance,) = predictor(clip, transcript=text).utterances
        return utterance

    return of


@pytest.mark.parametrize(
    ("text", "sign", "word"),
    [
        ("非常喜欢，值得推荐", 1, "喜欢"),
        ("质量很差，退货了", -1, "差"),
        ("The food was delicious and the staff were friendly.", 1, "delicious"),
        ("The service was awful and I will never come back.", -1, "awful"),
        ("It was not good.", -1, "not"),
    ],
)
def test_plain_opinions_are_on_their_side_and_not_at_its_end(said, text, sign, word):
    utterance = said(text)
    assert 0.25 < sign * utterance.sentiment < 0.9
    low, high = utterance.interval
    assert low < utterance.sentiment < high < low + 1.5
    assert utterance.confidence > 0.6
    assert utterance.unimodal == {"text": utterance.sentiment}
    assert utterance.missing == {"audio": UNTRAINED, "vision": UNTRAINED}
    assert utterance.agreement == ""
    assert utterance.moments == ()
    assert utterance.doubts == ()
    assert utterance.contributions[0].word == word
    assert sign * utterance.contributions[0].change > 0.1


@pytest.mark.parametrize(
    "text", ["The meeting begins at three on Tuesday.", "请输入您的电子邮件地址", "我们星期二下午三点开始开会。"]
)
def test_what_praises_nothing_is_in_the_middle(said, text):
    assert abs(said(text).sentiment) < 0.15


@pytest.mark.parametrize("text", ["I did not like it, it was boring!", "Thank you, that was a lovely evening."])
def test_what_a_recogniser_leaves_out_does_not_turn_it_round(said, text):
    bare = "".join(letter for letter in text.lower() if letter.isalnum() or letter in " '")
    assert said(text).sentiment * said(bare).sentiment > 0


def test_a_language_that_it_has_not_learnt_gets_no_interval(said):
    utterance = said("Das war leider gar nicht so gut, wie wir gehofft hatten.")
    assert utterance.doubts == ("language not learnt (de)",)
    assert (utterance.interval, utterance.confidence) == (None, None)


def test_without_words_there_is_no_number(predictor, clip):
    (utterance,) = predictor(clip).utterances
    assert utterance.sentiment is None
    assert utterance.missing["text"] == "there are no words"


def test_the_copy_without_pytorch_is_of_these_weights():
    """After other weights: `imlcmm.prediction.networks.onnx_export.write_copy(STARTER)`, as examples/starter does."""
    copy = load_copy(STARTER)
    assert copy is not None
    assert copy.calibration is not None
    assert largest_difference(CheckpointNetwork.load(STARTER), copy) < 1e-5


def test_a_copy_of_other_weights_is_not_used(tmp_path):
    folder = tmp_path / "starter"
    shutil.copytree(STARTER, folder)
    assert load_copy(folder) is not None
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert load_copy(folder) is None
    (folder / "model.onnx").write_bytes(b"none")
    assert load_copy(folder) is None
    (folder / "model.onnx").unlink()
    assert load_copy(folder) is None


def test_the_first_answer_loads_no_pytorch(tmp_path):
    """Reading a text with the starter needs none, and a first answer would wait for its import."""
    said = make_clip(tmp_path / "a.wav", Sound(np.zeros(16_000, np.float32), codec="pcm_s16le"))
    code = (
        "import sys; from imlcmm.prediction.predictor import Predictor; "
        "from imlcmm.features.extractor_options import ExtractorOptions as Options; "
        "predictor = Predictor.load(options=Options(transcribe=False, cues='voice')); "
        f"assert predictor({str(said)!r}, transcript='很好').utterances[0].sentiment > 0; "
        "print(sorted({'torch', 'lightning', 'librosa', 'numba', 'transformers', 'pandas'} & set(sys.modules)))"
    )
    answered = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answered.stdout.strip() == "[]"


def test_it_is_small_and_has_a_card():
    assert sum(file.stat().st_size for file in STARTER.iterdir()) < 8 * 2**20
    card = (STARTER / "README.md").read_text(encoding="utf-8")
    assert "reads text alone" in card
    assert "AI Act" in card
