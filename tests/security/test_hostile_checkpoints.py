"""A checkpoint folder that somebody sent: nothing in it runs, leads elsewhere or is believed before it is checked."""

import json
import os
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

from imlcmm import Predictor
from imlcmm.calibration import Calibration, Curve, read_calibration
from imlcmm.errors import ModelError
from imlcmm.models import IMLCMM, LF_DNN, find_model
from imlcmm.models.checkpoint import load_checkpoint
from imlcmm.types import DataSpec

SPEC = DataSpec({"text": 6, "audio": 5, "vision": 4}, {"text": 3, "audio": 4, "vision": 5}, train_size=9)


@pytest.fixture
def folder(tmp_path):
    IMLCMM(SPEC, width=8, heads=2, feedforward=8, tokens=2).save_pretrained(tmp_path / "checkpoint")
    return tmp_path / "checkpoint"


def change(folder, name, **values):
    file = folder / name
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def spec(**values):
    return {**json.loads(json.dumps(SPEC.__dict__)), **values}


def nested(folder, name):
    (folder / name).write_text('{"class": ' * 100_000)


def device(folder, name):
    (folder / name).unlink()
    (folder / name).symlink_to("/dev/zero")


def pipe(folder, name):
    (folder / name).unlink()
    os.mkfifo(folder / name)


def link_out(folder, name):
    outside = folder.parent / f"outside-{name}"
    (folder / name).rename(outside)
    (folder / name).symlink_to(outside)


def huge(folder, name):
    with (folder / name).open("r+b") as file:
        file.truncate(1 << 34)


def text(folder, name, content):
    (folder / name).write_bytes(content)


def weights(folder, edit):
    tensors = load_file(folder / "model.safetensors")
    edit(tensors)
    save_file(tensors, folder / "model.safetensors")


def header(folder, size, claimed):
    (folder / "model.safetensors").write_bytes(size.to_bytes(8, "little") + claimed)


CLAIM = b'{"x":{"dtype":"F32","shape":[1099511627776],"data_offsets":[0,4398046511104]}}'
HOSTILE = {
    "class: a module on the path": lambda f: change(f, "model.json", **{"class": "hostile.Own"}),
    "class: a module of the standard library": lambda f: change(f, "model.json", **{"class": "this.Zen"}),
    "class: a function": lambda f: change(f, "model.json", **{"class": "os.system"}),
    "class: the main module": lambda f: change(f, "model.json", **{"class": "__main__.Own"}),
    "class: a relative name": lambda f: change(f, "model.json", **{"class": "..hostile.Own"}),
    "class: no text": lambda f: change(f, "model.json", **{"class": ["LF_DNN"]}),
    "class: nothing": lambda f: text(f, "model.json", b"{}"),
    "class: no JSON": lambda f: text(f, "model.json", b"\x80\x04K\x01."),
    "class: another encoding": lambda f: text(f, "model.json", b"\xff\xfe{\x00"),
    "class: nested": lambda f: nested(f, "model.json"),
    "class: a device": lambda f: device(f, "model.json"),
    "class: a pipe": lambda f: pipe(f, "model.json"),
    "class: a link out": lambda f: link_out(f, "model.json"),
    "class: 16 GiB": lambda f: huge(f, "model.json"),
    "config: a list": lambda f: text(f, "config.json", b"[]"),
    "config: nested": lambda f: nested(f, "config.json"),
    "config: a device": lambda f: device(f, "config.json"),
    "config: a link out": lambda f: link_out(f, "config.json"),
    "config: missing": lambda f: (f / "config.json").unlink(),
    "config: a text for a number": lambda f: change(f, "config.json", text_encoder_lr="fast"),
    "config: not a number": lambda f: change(f, "config.json", text_encoder_lr=float("nan")),
    "config: a class path": lambda f: change(f, "config.json", encoders={"class_path": "hostile.Own"}),
    "config: an encoder by name": lambda f: change(f, "config.json", text_encoder="nobody/hostile"),
    "config: an encoder by path": lambda f: change(f, "config.json", text_encoder="../../outside"),
    "config: an encoder with code": lambda f: change(
        f,
        "config.json",
        text_encoder={"auto_map": {"AutoModel": "hostile.Own"}, "attn_implementation": "nobody/kernel"},
    ),
    "config: an encoder of a million layers": lambda f: change(
        f, "config.json", text_encoder={"num_hidden_layers": 1_000_000}
    ),
    "config: a spec that is no mapping": lambda f: change(f, "config.json", spec=3),
    "config: no spec": lambda f: change(f, "config.json", spec=None),
    "config: widths of 10^12": lambda f: change(f, "config.json", spec=spec(widths=dict.fromkeys(SPEC.widths, 10**12))),
    "config: an unknown option": lambda f: change(f, "config.json", layers=3),
    "config: 10^12 layers": lambda f: change(f, "config.json", fusion_depth=10**12),
    "config: widths of text": lambda f: change(f, "config.json", width="8"),
    "config: negative widths": lambda f: change(f, "config.json", spec=spec(widths=dict.fromkeys(SPEC.widths, -1))),
    "config: no widths": lambda f: change(f, "config.json", spec=spec(widths={})),
    "config: a range without end": lambda f: change(f, "config.json", spec=spec(high=float("inf"))),
    "weights: missing": lambda f: (f / "model.safetensors").unlink(),
    "weights: a link out": lambda f: link_out(f, "model.safetensors"),
    "weights: a device": lambda f: device(f, "model.safetensors"),
    "weights: cut short": lambda f: text(f, "model.safetensors", (f / "model.safetensors").read_bytes()[:2000]),
    "weights: a header of 2^62 bytes": lambda f: header(f, 1 << 62, b"{}"),
    "weights: a tensor of 4 TB": lambda f: header(f, len(CLAIM), CLAIM),
    "weights: one tensor less": lambda f: weights(f, lambda t: t.popitem()),
    "weights: one tensor more": lambda f: weights(f, lambda t: t.update(extra=torch.zeros(1))),
    "weights: other shapes": lambda f: weights(f, lambda t: t.update({k: v.flatten() for k, v in t.items()})),
}


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_checkpoint_is_refused_in_one_line(attack, folder, canary):
    attack(folder)
    with pytest.raises(ModelError) as refusal:
        load_checkpoint(folder)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500
    assert not canary.exists()
    assert "this" not in sys.modules
    assert "hostile" not in sys.modules


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.safetensors"])
def test_weights_that_are_a_pickle_are_not_loaded(name, folder, bomb, canary):
    (folder / "model.safetensors").unlink()
    (folder / name).write_bytes(bomb)
    with pytest.raises(ModelError):
        load_checkpoint(folder)
    with pytest.raises(ModelError):
        IMLCMM.from_pretrained(folder)
    assert not canary.exists()


CURVE = '{"clips": 9, "half_width": 1.5, "intercept": 0.5, "slope": 0.5}'
WHOLE = f'{{"modalities": ["text"], "curves": {{"text": {CURVE}}}}}'
CALIBRATIONS = {
    "no JSON": "\x80\x04.",
    "a list": "[]",
    "texts": WHOLE.replace("9", '"9"'),
    "no number": WHOLE.replace("1.5", "NaN"),
    "no modality": WHOLE.replace('["text"]', '["smell"]'),
    "a surplus": WHOLE.replace('"slope"', '"x": 1, "slope"'),
    "knots without values": WHOLE.replace('"slope"', '"knots": [0.5, 1.5], "slope"'),
    "texts for knots": WHOLE.replace('"slope"', '"knots": "01", "values": "01", "slope"'),
    "nested": "[" * 100_000,
}


@pytest.mark.parametrize("content", CALIBRATIONS.values(), ids=CALIBRATIONS)
def test_a_hostile_calibration_is_refused(content, folder):
    (folder / "calibration.json").write_text(content)
    with pytest.raises(ModelError, match=r"calibration\.json"):
        read_calibration(folder)


def test_an_honest_checkpoint_and_calibration_load(folder):
    Calibration(("text",), {"text": Curve(9, 0.5, 0.1, 0.2)}).write(folder)
    assert isinstance(load_checkpoint(folder), IMLCMM)
    assert read_calibration(folder).curve("text").half_width == 0.5


def test_a_snapshot_of_the_hub_cache_loads(folder):
    cache = folder.parent / "models--somebody--x"
    (cache / "blobs").mkdir(parents=True)
    (cache / "snapshots" / "abc").mkdir(parents=True)
    for i, file in enumerate(sorted(folder.iterdir())):
        file.rename(cache / "blobs" / str(i))
        (cache / "snapshots" / "abc" / file.name).symlink_to(f"../../blobs/{i}")
    assert isinstance(load_checkpoint(cache / "snapshots" / "abc"), IMLCMM)


def test_a_model_of_ones_own_loads_when_the_caller_names_its_module(folder, canary, monkeypatch):
    monkeypatch.setattr("imlcmm.models._ADMITTED", {})
    LF_DNN(SPEC).save_pretrained(folder)
    change(folder, "model.json", **{"class": "hostile.Own"})
    with pytest.raises(ModelError, match="--own_models MODULE"):
        Predictor.load(folder)
    assert not canary.exists()
    model = load_checkpoint(folder, own_models=["hostile"])
    assert type(model).__name__ == "Own"
    assert find_model("hostile.Own") is type(model)
    assert canary.exists()


@pytest.mark.parametrize("module", ["no.such.module", "json", "", "..hostile"])
def test_a_module_without_models_is_named(module, folder):
    with pytest.raises(ModelError, match="module"):
        load_checkpoint(folder, own_models=[module])
