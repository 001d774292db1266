"""Recipes, configurations and text encoders that somebody sent."""

import json
from itertools import pairwise

import pytest

from imlcmm.cli import main
from imlcmm.errors import ModelError, TrainingError
from imlcmm.features.text.encoder import TextExtractor
from imlcmm.modules.encoder_files import load_encoder
from imlcmm.training.recipe import optimization_of, read_recipe
from imlcmm.untrusted import read_yaml

ALIASES = "\n".join(
    [
        "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]",
        *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in pairwise("abcdefghi")),
    ]
)
OBJECT = "!!python/object/apply:pathlib.Path.touch [!!python/object/apply:pathlib.Path ['{canary}']]"
CONFIGURATIONS = {
    "a class path of a module": "model: {class_path: hostile.Own}",
    "a class path of the standard library": "model: {class_path: this.Zen}",
    "a class path within": "model: {class_path: LF_DNN, init_args: {encoders: {class_path: hostile.Own}}}",
    "a class path in the optimisation": "model: {class_path: LF_DNN}\noptimization: {class_path: hostile.Own}",
    "a class path in the trainer": "model: {class_path: LF_DNN}\ntrainer: {class_path: hostile.Own}",
    "an object": f"model: {OBJECT}",
    "aliases without end": f"{ALIASES}\nmodel: *i",
    "nested": "[" * 10_000,
    "no YAML": "model: [",
}


@pytest.mark.parametrize("content", CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_hostile_configuration_is_refused_in_one_line(content, simulated_folder, tmp_path, canary, capsys):
    (tmp_path / "run.yaml").write_text(content.replace("{canary}", str(canary)))
    with pytest.raises(SystemExit) as end:
        main(
            [
                "train",
                "--config",
                str(tmp_path / "run.yaml"),
                "--data",
                str(simulated_folder),
                "--folder",
                str(tmp_path),
            ]
        )
    assert end.value.code == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert not canary.exists()


RECIPES = {
    "an object": f"model: {OBJECT}",
    "aliases without end": f"{ALIASES}\nmodel: LF_DNN\noptions: *i",
    "a model that is no text": "model: [LF_DNN]",
    "options that are none": "model: LF_DNN\noptions: 3",
    "binary": "\x00\x01",
    "nested": "{a: " * 10_000,
}


@pytest.mark.parametrize("content", RECIPES.values(), ids=RECIPES)
def test_a_hostile_recipe_is_refused_in_one_line(content, tmp_path, canary):
    (tmp_path / "recipe.yaml").write_text(content.replace("{canary}", str(canary)))
    with pytest.raises(TrainingError, match="is not a recipe") as refusal:
        read_recipe(tmp_path / "recipe.yaml")
    assert "\n" not in str(refusal.value)
    assert not canary.exists()


@pytest.mark.parametrize("options", ["{lr: fast}", "{steps: 3}", "{lr: .nan}", "{epochs: 1.5}"])
def test_an_optimisation_of_other_types_is_refused(options, tmp_path):
    (tmp_path / "recipe.yaml").write_text(f"model: LF_DNN\noptimization: {options}")
    with pytest.raises(TrainingError, match="the optimization of a recipe"):
        optimization_of(read_recipe(tmp_path / "recipe.yaml"))


def test_aliases_may_be_used_in_measure():
    assert read_yaml("a: &a [1, 2]\nb: [*a, *a]")["b"] == [[1, 2], [1, 2]]


@pytest.fixture
def encoder(tmp_path):
    transformers = pytest.importorskip("transformers", reason="the extra 'bert' is not installed")
    config = transformers.BertConfig(
        vocab_size=20, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8,
        max_position_embeddings=16,
    )  # fmt: skip
    transformers.BertModel(config).save_pretrained(tmp_path / "bert")
    return tmp_path / "bert"


def configure(folder, **values):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


ENCODERS = {
    "code of its own": dict(auto_map={"AutoConfig": "hostile.Own", "AutoModel": "hostile.Own"}),
    "code of a type of its own": dict(auto_map={"AutoConfig": "hostile.Own"}, model_type="hostile"),
    "code from the hub": dict(auto_map={"AutoModel": "nobody/hostile--hostile.Own"}),
    "a kernel from the hub": dict(attn_implementation="nobody/hostile"),
    "a kernel for a part": dict(text_config=dict(_attn_implementation="nobody/hostile")),
    "a quantisation": dict(quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
    "a million layers": dict(num_hidden_layers=1_000_000),
    "10^12 words": dict(vocab_size=10**12),
    "a width that is a text": dict(hidden_size="wide"),
    "an unknown type": dict(model_type="hostile"),
    "heads that do not divide": dict(num_attention_heads=3),
}


@pytest.mark.parametrize("values", ENCODERS.values(), ids=ENCODERS)
def test_a_hostile_text_encoder_is_refused_in_one_line(values, encoder, canary):
    (encoder / "hostile.py").write_text(f"from pathlib import Path\nPath({str(canary)!r}).touch()\nclass Own: pass\n")
    configure(encoder, **values)
    for load in (load_encoder, TextExtractor):
        with pytest.raises(ModelError) as refusal:
            load(str(encoder))
        assert "\n" not in str(refusal.value)
    assert not canary.exists()


def test_an_encoder_with_pickled_weights_is_refused(encoder, bomb, canary):
    (encoder / "model.safetensors").unlink()
    (encoder / "pytorch_model.bin").write_bytes(bomb)
    with pytest.raises(ModelError):
        load_encoder(str(encoder))
    assert not canary.exists()
