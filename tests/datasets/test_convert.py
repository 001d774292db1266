"""From the field's pickle to the store and back."""

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from field_files import STEPS, WIDTHS, field_file, field_split
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imlcmm.datasets.card import data_card
from imlcmm.datasets.convert import convert
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError
from imlcmm.types import Clip

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
MODALITIES = ("text", "audio", "vision")


def loaded(tmp_path, content, kind="simsv2", protocol=4):
    return load_dataset(field_file(tmp_path / "f.pkl", content, protocol), kind)


def refused(tmp_path, content, match):
    with pytest.raises(DataError, match=match) as caught:
        loaded(tmp_path, content)
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["f.pkl"]


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_values_and_lengths_arrive(tmp_path, protocol):
    content = {name: field_split(name, 6) for name in ("train", "valid", "test")}
    data = loaded(tmp_path, content | {"config": {"anything": 1}}, protocol=protocol)
    assert list(data.splits) == ["train", "valid", "test"]
    for name, clips in data.splits.items():
        given_split, batch = content[name], clips.batch(range(6))
        steps = {m: np.asarray(given_split[f"{m}_lengths"]) for m in ("audio", "vision")}
        steps["text"] = given_split["text_bert"][:, 1].sum(1).astype(int)
        for m in MODALITIES:
            np.testing.assert_array_equal(batch.masks[m].sum(1), steps[m])
            expected = given_split[m][:, : steps[m].max()].astype("float32")
            np.testing.assert_array_equal(batch.sequence(m), expected)
        np.testing.assert_array_equal(batch.tokens, given_split["text_bert"][:, :, : steps["text"].max()])
        for column, suffix in enumerate(("", "_T", "_A", "_V")):
            np.testing.assert_allclose(clips.labels[:, column], given_split[f"regression_labels{suffix}"], rtol=1e-6)
        assert (clips.ids, clips.transcripts) == (given_split["id"], given_split["raw_text"])


def test_lists_instead_of_arrays_and_turned_tokens(tmp_path):
    content = {"train": field_split("train", 5)}
    first = loaded(tmp_path, content)
    other = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in content["train"].items()}
    other["text_bert"] = content["train"]["text_bert"].transpose(0, 2, 1).tolist()
    other["id"] = np.array(other["id"], object)
    other["raw_text"] = np.array(other["raw_text"])
    second = load_dataset(field_file(tmp_path / "g.pkl", {"train": other}), "simsv2")
    assert first.checksum == second.checksum


def test_missing_lengths_mean_trailing_zeros(tmp_path):
    split = field_split("train", 6)
    expected = split["audio_lengths"]
    for key in ("audio_lengths", "vision_lengths", "text_bert"):
        split.pop(key)
    split["audio"][0] = 0
    data = loaded(tmp_path, {"train": split})
    assert data.train.lengths("audio").tolist() == [0, *expected[1:]]
    assert data.train.batch([0]).tokens is None
    assert data.train.lengths("text").max() <= STEPS["text"]


def test_aligned_files_take_the_length_of_the_text(tmp_path):
    split = field_split("train", 4)
    for key in ("audio_lengths", "vision_lengths"):
        split.pop(key)
    split["audio"], split["vision"] = split["audio"][:, :6], split["vision"][:, :6]
    data = loaded(tmp_path, {"train": split})
    for m in MODALITIES:
        np.testing.assert_array_equal(data.train.lengths(m), split["text_bert"][:, 1].sum(1))


def test_tokens_without_text_features(tmp_path):
    split = field_split("train", 4)
    text = split.pop("text")
    data = loaded(tmp_path, {"train": split})
    assert data.spec.widths["text"] == 0
    batch = data.train.batch(range(4))
    assert batch.text.shape[2] == 0
    assert batch.tokens.shape[2] == batch.masks["text"].shape[1] <= text.shape[1]
    np.testing.assert_array_equal(batch.masks["text"].sum(1), split["text_bert"][:, 1].sum(1))


def test_files_without_labels_are_unlabelled(tmp_path):
    split = field_split("u", 5, labels=False)
    for content in (
        split,
        {"unlabelled": split},
        {"train": split},
        {"train": split | {"regression_labels": [np.nan] * 5}},
    ):
        data = loaded(tmp_path, content)
        assert list(data.splits) == ["unlabelled"]
        assert data.unlabelled.labels.isnan().all()


def test_the_mixed_split_gives_its_unlabelled_rows(tmp_path):
    train = field_split("train", 4)
    mixed = field_split("train", 4) | {}
    extra = field_split("more", 3)
    for key, value in extra.items():
        mixed[key] = np.concatenate([mixed[key], value]) if isinstance(value, np.ndarray) else mixed[key] + value
    mixed["mask"] = np.array([1, 1, 1, 1, 0, 0, 0])
    data = loaded(tmp_path, {"train": train, "train_mix": mixed})
    assert data.unlabelled.ids == extra["id"]
    assert data.unlabelled.labels.isnan().all()
    mixed.pop("mask")
    refused_content = {"train": train, "train_mix": mixed}
    with pytest.raises(DataError, match="'mask' is missing"):
        load_dataset(field_file(tmp_path / "g.pkl", refused_content), "simsv2")


@pytest.mark.parametrize("labelled", [True, False])
def test_single_clip_file(tmp_path, labelled):
    split = field_split("one", 1, labels=labelled)
    clip = {m: split[m][0] for m in (*MODALITIES, "text_bert")}
    clip |= {"raw_text": "hello"} | ({"regression_labels": 0.4} if labelled else {})
    data = loaded(tmp_path, clip)
    only = data.test if labelled else data.unlabelled
    assert (only.ids, only.transcripts) == (["f"], ["hello"])
    np.testing.assert_array_equal(only.batch([0]).masks["text"].sum(), split["text_bert"][0, 1].sum())


def change(key, function):
    def changed(content):
        content["train"][key] = function(content["train"][key])

    return changed


def set_item(key, position, value):
    def changed(content):
        content["train"][key][position] = value

    return changed


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        (change("audio", lambda a: a[:-1]), "split train: 'audio' has 7 entries for 8 clips"),
        (change("id", lambda a: a[:-1]), "split train: 'raw_text'|split train: 'audio'|split train: 'text_bert'"),
        (change("regression_labels", lambda a: a[:-1]), "'regression_labels' has 7 entries"),
        (change("vision_lengths", lambda a: a[:-1]), "'vision_lengths' has 7 entries"),
        (set_item("audio_lengths", 2, 99), "key 'audio_lengths', clip 2: length 99, but only 9 steps"),
        (set_item("audio_lengths", 2, -1), "key 'audio_lengths', clip 2: -1"),
        (set_item("audio_lengths", 2, float("nan")), "key 'audio_lengths', clip 2: nan"),
        (set_item("id", 3, "train0$_$0"), r"key 'id', clip train0\$_\$0: the id occurs twice"),
        (set_item("id", 3, None), "key 'id', clip 3: a string or a whole number is needed as id, not NoneType"),
        (set_item("id", 3, 0.5), "key 'id', clip 3: a string or a whole number is needed as id, not the number 0.5"),
        (set_item("raw_text", 3, b"\xff\xff"), r"split train, key 'raw_text', entry 3: .* neither UTF-8 nor GB18030"),
        (set_item("raw_text", 3, 1.5), "key 'raw_text', clip 3: a string is needed, not float"),
        (lambda c: c.update(dev=c["valid"]), "the splits 'valid' and 'dev' both mean valid"),
        (set_item("regression_labels", 3, 1.4), r"split train, clip train1\$_\$3: the multimodal label is 1\.4"),
        (set_item("regression_labels_A", 3, -2), "the audio label is -2"),
        (set_item("regression_labels", 3, np.nan), r"key 'regression_labels', clip train1\$_\$3: the label is nan"),
        (change("text_bert", lambda a: a[:, :, :-1]), "'text' has 6 steps and 'text_bert' 5"),
        (change("text_bert", lambda a: a[:, :2]), r"'text_bert' has clips of shape \(2, 6\)"),
        (change("text_bert", lambda a: a + 0.5), "whole numbers"),
        (
            change("vision", lambda a: a[:, :, :-1]),
            "'vision' has 4 features a frame in split train but 5 in split valid",
        ),
        (change("vision", lambda a: a[:, 0]), r"shape \(8, 5\) is not \(clips, steps, width\)"),
        (change("vision", lambda a: [*a.tolist()[:-1], [[1.0], [2.0, 3.0]]]), "uneven"),
        (change("vision", lambda a: "none"), "neither an array nor a list"),
        (change("vision", lambda a: a.astype(str)), "of numbers"),
        (
            lambda c: c["train"].pop("audio"),
            "the key 'audio' is missing in split train, but split valid has it; give all splits the same",
        ),
        (
            lambda c: [c["train"].pop(m) for m in ("text", "text_bert", "audio", "vision")],
            "none of the keys text, audio",
        ),
        (lambda c: c["valid"].pop("regression_labels"), "split valid: 'regression_labels' is missing"),
        (lambda c: c.update(other=c.pop("valid")), "has a split 'other'"),
        (lambda c: c.update(valid=[1, 2]), "split valid: list instead of a dictionary"),
        (lambda c: c.update(valid={}), "split valid: none of the keys"),
        (lambda c: c.update(valid={"id": []}), "split valid: no clips"),
        (
            lambda c: c["valid"].update(id=["a", "train0$_$0", "b"]),
            r"split valid, clip train0\$_\$0: the id occurs twice",
        ),
        (lambda c: c.clear(), "has no split"),
    ],
)
def test_inconsistent_files_are_refused(tmp_path, spoil, match):
    content = {"train": field_split("train", 8), "valid": field_split("valid", 3)}
    spoil(content)
    refused(tmp_path, content, match)


def test_content_that_is_no_dictionary(tmp_path):
    refused(tmp_path, [1, 2], "list instead of a dictionary of splits")


def test_repeated_lists_do_not_fill_memory(tmp_path):
    content = {"train": field_split("train", 2)}
    row = [1.0] * 3000
    content["train"]["audio"] = [[row] * 3000] * 2
    refused(tmp_path, content, "too large")


def test_infinite_frames_are_counted_and_survive_the_way_back(tmp_path):
    content = {"train": field_split("train", 4)}
    content["train"]["audio"][1, 0] = -np.inf
    content["train"]["vision"][2, 1, 0] = np.nan
    data = loaded(tmp_path, content)
    assert data.manifest["splits"]["train"]["non_finite"] == {"text": 0, "audio": 1, "vision": 0}
    assert data.manifest["splits"]["train"]["filled"] == {"text": 0, "audio": 0, "vision": 1}
    back = convert(data.path, tmp_path / "back.pkl", progress=False)
    assert load_dataset(back).checksum == data.checksum


def test_way_back_is_the_layout_of_the_field(tmp_path):
    content = {name: field_split(name, n) for name, n in (("train", 8), ("valid", 3), ("test", 4))}
    data = loaded(tmp_path, content)
    back = convert(data.path, tmp_path / "back.pkl", progress=False)
    plain = pickle.loads(back.read_bytes())
    longest = data.spec.steps
    for name in data.splits:
        split = plain[name]
        for m in MODALITIES:
            assert split[m].shape == (len(split["id"]), longest[m], WIDTHS[m])
            np.testing.assert_array_equal(split[m], content[name][m][:, : longest[m]].astype("float32"))
        np.testing.assert_array_equal(split["text_bert"], content[name]["text_bert"][:, :, : longest["text"]])
        np.testing.assert_allclose(split["regression_labels_V"], content[name]["regression_labels_V"], rtol=1e-6)
        signs = np.sign(content[name]["regression_labels"]).astype(int)
        assert split["annotations"] == [("Negative", "Neutral", "Positive")[sign + 1] for sign in signs]
        assert split["classification_labels"].tolist() == (signs + 1).tolist()
        assert split["audio_lengths"] == content[name]["audio_lengths"]
    assert load_dataset(back).checksum == data.checksum
    assert sorted(path.name for path in tmp_path.iterdir()) == ["back.pkl", "back.store", "f.pkl", "f.store"]


def test_simulated_stays_simulated_on_the_way_back(tmp_path):
    widths = {"text": 1, "audio": 1, "vision": 1}
    with StoreWriter(tmp_path / "s", kind="sims", widths=widths, features={"text": "t"}, simulated=True) as writer:
        writer.add("test", Clip("a", "", {m: np.ones((2, 1)) for m in widths}, {"multimodal": 0.0}))
    again = load_dataset(convert(tmp_path / "s", tmp_path / "s2.pkl", progress=False))
    assert again.simulated
    assert (again.spec.kind, again.spec.features["text"]) == ("sims", "t")


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=6),
    dtype=st.sampled_from(["float32", "float16"]),
    tokens=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_ragged_clips_survive_the_round_trip(tmp_path_factory, steps, dtype, tokens, seed):
    folder, rng = tmp_path_factory.mktemp("round"), np.random.default_rng(seed)
    widths = {"text": 2, "audio": 3, "vision": 1}
    clips = []
    for row, lengths in enumerate(steps):
        sequences = {m: rng.normal(size=(n, widths[m])).astype(dtype) for m, n in zip(MODALITIES, lengths, strict=True)}
        own = rng.integers(0, 99, (lengths[0], 3)) if tokens else None
        clips.append(Clip(f"v$_${row}", "é\ud800"[: row + 1], sequences, {"multimodal": rng.uniform(-1, 1)}, own))
    with StoreWriter(folder / "s", kind="simsv2", widths=widths, dtype=dtype) as writer:
        for clip in clips:
            writer.add("train", clip)
    data = load_dataset(folder / "s")
    for row, clip in enumerate(clips):
        for m in MODALITIES:
            np.testing.assert_array_equal(data.train.frames(m, row), clip.sequences[m])
    back = convert(folder / "s", folder / "b.pkl", progress=False)
    again = load_dataset(convert(back, folder / "t", dtype=dtype, progress=False))
    torch.testing.assert_close(again.train.labels, data.train.labels, rtol=0, atol=0, equal_nan=True)
    assert again.train.ids == data.train.ids
    assert (folder / "t" / "train.safetensors").read_bytes() == (folder / "s" / "train.safetensors").read_bytes()


def test_outputs_that_cannot_be(tmp_path):
    data = loaded(tmp_path, {"train": field_split("train", 2)})
    with pytest.raises(DataError, match=r"ends in \.pkl"):
        convert(data.path, tmp_path / "other", progress=False)
    with pytest.raises(DataError, match="cannot write"):
        convert(data.path, tmp_path / "none" / "x.pkl", progress=False)
    with pytest.raises(DataError, match="does not exist"):
        convert(tmp_path / "none.pkl", tmp_path / "other", kind="sims", progress=False)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full to act as a full disk")
def test_full_disk_while_exporting(tmp_path, monkeypatch):
    data = loaded(tmp_path, {"train": field_split("train", 2)})
    real = Path.open

    def opened(path: Path, *arguments, **options):
        return real(Path("/dev/full") if path.name.endswith(".partial") else path, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(DataError, match="disk is full"):
        convert(data.path, tmp_path / "x.pkl", progress=False)
    assert not (tmp_path / "x.pkl").exists()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real CMU-MOSI features are not beside this checkout")
@pytest.mark.parametrize("text", ["cnn", "none"])
def test_real_mosi(tmp_path, text):
    path = tmp_path / "mosi.pkl"
    script = SHARED / "data" / "mosi" / "build_pickle.py"
    subprocess.run([sys.executable, script, path, "--text", text], check=True, capture_output=True)
    data = load_dataset(path, "mosi")
    assert {name: len(clips) for name, clips in data.splits.items()} == {"train": 1209, "valid": 238, "test": 752}
    plain = pickle.loads(path.read_bytes())
    batch = data.test.batch(range(752))
    np.testing.assert_array_equal(batch.audio, plain["test"]["audio"])
    np.testing.assert_array_equal(batch.masks["audio"].sum(1), plain["test"]["audio_lengths"])
    assert len(set(data.test.videos)) == 31
    assert data.spec.widths["text"] == (100 if text == "cnn" else 1)
    assert data.spec.absent == (() if text == "cnn" else ("text",))
    assert load_dataset(convert(data.path, tmp_path / "back.pkl", progress=False)).checksum == data.checksum


MEASURE = """
import re, sys
from pathlib import Path
from imlcmm.datasets.convert import convert
def peak():  # unlike ru_maxrss, this is not inherited from the parent process
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
before = peak()
convert(Path(sys.argv[1]), Path(sys.argv[2]), kind="simsv2", progress=False)
print((peak() - before) // 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux to measure memory")
@pytest.mark.slow
@pytest.mark.parametrize("protocol", [2, 4])
def test_converting_takes_little_memory(tmp_path, protocol):
    rng = np.random.default_rng(0)
    split = field_split("train", 300)
    for m, steps, width in (("text", 50, 768), ("audio", 925, 25), ("vision", 232, 177)):
        split[m] = rng.normal(size=(300, steps, width))
    split["text_bert"] = np.ones((300, 3, 50))
    path = field_file(tmp_path / "big.pkl", {"train": split}, protocol)
    del split
    command = [sys.executable, "-c", MEASURE, str(path), str(tmp_path / "s")]
    run = subprocess.run(command, check=True, capture_output=True, text=True)
    assert path.stat().st_size > 240e6
    assert int(run.stdout) < 120


def test_bare_labels_in_a_column_and_missing_ids(tmp_path):
    split = field_split("train", 4)
    label = split.pop("regression_labels")
    split["labels"] = label[:, None]
    split.pop("id")
    data = loaded(tmp_path, {"train": split})
    np.testing.assert_allclose(data.train.labels[:, 0], label, rtol=1e-6)
    assert data.train.ids == ["train-0", "train-1", "train-2", "train-3"]


@pytest.mark.parametrize("kind", ["none", "numbers", "one clip a video"])
def test_unknown_sources_are_said_at_conversion_and_in_the_card(tmp_path, kind, caplog):
    content = {name: field_split(name, 4) for name in ("train", "test")}
    for name, split in content.items():
        if kind == "none":
            del split["id"]
        else:
            split["id"] = [f"{name}{row}" + ("$_$0" if kind == "one clip a video" else "") for row in range(4)]
    data = loaded(tmp_path, content)
    assert not data.sources_known
    assert "source unknown: no two ids share a video" in caplog.text
    card = data_card(data)
    assert "Source unknown" in card
    assert "in train" not in card


def test_known_sources_are_not_doubted(tmp_path, caplog):
    data = loaded(tmp_path, {name: field_split(name, 4) for name in ("train", "test")})
    assert data.sources_known
    assert not caplog.text
    assert "Source unknown" not in data_card(data)


def test_a_dead_column_does_not_turn_padding_into_frames(tmp_path):
    content = {"train": field_split("train", 4)}
    del content["train"]["audio_lengths"], content["train"]["vision_lengths"]
    content["train"]["audio"][:, 5:] = 0
    lengths = loaded(tmp_path, content).train.lengths("audio").tolist()
    content["train"]["audio"][:, :, 2] = np.nan
    data = loaded(tmp_path, content)
    assert data.train.lengths("audio").tolist() == lengths
    assert max(lengths) <= 5
    assert data.manifest["left_out"]["audio"] == [2]


@pytest.mark.parametrize("absent", MODALITIES)
def test_a_data_set_that_lacks_a_modality(tmp_path, absent, caplog):
    content = {name: field_split(name, 5) for name in ("train", "valid")}
    for split in content.values():
        for key in (absent, f"{absent}_lengths", *(("text_bert",) if absent == "text" else ())):
            split.pop(key, None)
    data = loaded(tmp_path, content)
    assert f"there is no key '{absent}', so the data set goes without {absent}" in caplog.text
    assert data.spec.absent == (absent,)
    assert f"- {absent}: none in this data set" in data_card(data)
    assert not data.train.lengths(absent).any()
    assert not data.train.batch(range(5)).masks[absent].any()
    back = convert(data.path, tmp_path / "back.pkl", progress=False)
    assert absent not in pickle.loads(back.read_bytes())["train"]
    assert load_dataset(back).checksum == data.checksum
    assert load_dataset(back).spec == data.spec
