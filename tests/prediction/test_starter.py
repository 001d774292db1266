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
