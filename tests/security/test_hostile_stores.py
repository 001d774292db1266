"""A data set folder that somebody sent."""

import json
import shutil

import numpy as np
import pytest
from safetensors.numpy import save_file

from imlcmm.datasets import extract
from imlcmm.datasets.clip_manifest import read_clip_manifest
from imlcmm.datasets.labels.label_file import SourceClip
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.payload import Column, map_columns, write_columns
from imlcmm.errors import DataError


@pytest.fixture
def folder(simulated_folder, tmp_path):
    return shutil.copytree(simulated_folder, tmp_path / "store")


def change(folder, edit):
    file = folder / "dataset.json"
    manifest = json.loads(file.read_text())
    edit(manifest)
    file.write_text(json.dumps(manifest))


def columns(folder, **values):
    """Write the train split again with other tensors, and tell its true size."""
    path = folder / "train.safetensors"
    found = {name: np.array(column) for name, column in map_columns(path).items()} | values
    whole = {n: Column(v.dtype.name, v.shape, lambda v=v: iter([v.tobytes()])) for n, v in found.items()}
    write_columns(path, whole)
    change(folder, lambda m: m["splits"]["train"]["bytes"].update({path.name: path.stat().st_size}))


def names(folder, edit):
    path = folder / "train.json"
    found = json.loads(path.read_text())
    edit(found)
    path.write_text(json.dumps(found))
    change(folder, lambda m: m["splits"]["train"]["bytes"].update({path.name: path.stat().st_size}))


def rename_split(folder, name):
    def edit(manifest):
        entry = manifest["splits"].pop("train")
        for key in ("bytes", "sha256"):
            entry[key] = {f"{name}.{n.rsplit('.', 1)[1]}": value for n, value in entry[key].items()}
        manifest["splits"][name] = entry

    for suffix in ("safetensors", "json"):
        shutil.copy(folder / f"train.{suffix}", folder.parent / f"train.{suffix}")
    change(folder, edit)


def link(folder, name, target):
    (folder / name).unlink()
    (folder / name).symlink_to(target)


def header(folder, size):
    path = folder / "train.safetensors"
    path.write_bytes(size.to_bytes(8, "little") + path.read_bytes()[8:])


def offsets(folder, values):
    columns(folder, audio_offsets=np.array(values(map_columns(folder / "train.safetensors")["audio_offsets"])))


HOSTILE = {
    "a split above the folder": lambda f: rename_split(f, "../train"),
    "a split by an absolute path": lambda f: rename_split(f, "/tmp/train"),
    "a file above the folder": lambda f: change(
        f, lambda m: m["splits"]["train"]["bytes"].update({"../../etc/passwd": 1})
    ),
    "a manifest that is a device": lambda f: link(f, "dataset.json", "/dev/zero"),
    "features that lie elsewhere": lambda f: link(f, "train.safetensors", f.parent / "other.safetensors"),
    "features that are a device": lambda f: link(f, "train.safetensors", "/dev/zero"),
    "names that lie elsewhere": lambda f: link(f, "train.json", "/etc/hostname"),
    "an unknown kind": lambda f: change(f, lambda m: m.update(kind="../kind.yaml")),
    "a kind that is no text": lambda f: change(f, lambda m: m.update(kind=["simsv2"])),
    "no splits": lambda f: change(f, lambda m: m.update(splits={})),
    "splits as a list": lambda f: change(f, lambda m: m.update(splits=[1])),
    "widths of 10^12": lambda f: change(f, lambda m: m["widths"].update(audio=10**12)),
    "a width that is a text": lambda f: change(f, lambda m: m["widths"].update(audio="5")),
    "no width of audio": lambda f: change(f, lambda m: m["widths"].pop("audio")),
    "10^12 clips": lambda f: change(f, lambda m: m["splits"]["train"].update(clips=10**12)),
    "10^12 steps": lambda f: change(f, lambda m: m["splits"]["train"]["steps"].update(audio=10**12)),
    "clips as a truth": lambda f: change(f, lambda m: m["splits"]["train"].update(clips=True)),
    "no checksums": lambda f: change(f, lambda m: m["splits"]["train"].pop("sha256")),
    "nested": lambda f: (f / "dataset.json").write_text("[" * 100_000),
    "another format": lambda f: change(f, lambda m: m.update(format="1; import os")),
    "a header of 2^62 bytes": lambda f: header(f, 1 << 62),
    "a header of the whole file": lambda f: header(f, (f / "train.safetensors").stat().st_size - 8),
    "offsets that go back": lambda f: offsets(f, lambda o: np.r_[o[:2], o[1] - 1, o[3:]]),
    "offsets beyond the end": lambda f: offsets(f, lambda o: np.r_[o[:-1], o[-1] + 10**9]),
    "offsets that begin below zero": lambda f: offsets(f, lambda o: np.r_[-5, o[1:]]),
    "offsets that are fractions": lambda f: offsets(f, lambda o: o.astype(np.float32)),
    "labels that are integers": lambda f: columns(f, labels=np.zeros((65, 4), np.int64)),
    "fewer ids than clips": lambda f: names(f, lambda n: n["ids"].pop()),
    "ids that are numbers": lambda f: names(f, lambda n: n.update(ids=[0] * len(n["ids"]))),
    "names as a list": lambda f: (f / "train.json").write_text("[1]"),
    "pieces that are no lists": lambda f: names(f, lambda n: n.update(pieces=[1] * len(n["ids"]))),
}


@pytest.mark.parametrize("attack", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_store_is_refused_in_one_line(attack, folder):
    attack(folder)
    with pytest.raises(DataError) as refusal:
        load_dataset(folder).train.videos  # noqa: B018
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 500


def test_a_store_that_is_reached_by_a_link_opens(folder):
    (folder.parent / "linked").symlink_to(folder)
    assert load_dataset(folder.parent / "linked").train.videos


MANIFESTS = {"binary": b"\x00\xff", "other columns": b"a,b\n1,2\n", "empty": b"", "a table in a table": b'"' * 50}


@pytest.mark.parametrize("content", MANIFESTS.values(), ids=MANIFESTS)
def test_a_hostile_manifest_of_an_extraction_is_refused(content, folder):
    (folder / "clips.csv").write_bytes(content)
    with pytest.raises(DataError, match=r"clips\.csv"):
        read_clip_manifest(folder)


PARTS = {"binary": b"\x00" * 100, "empty": b"", "no words": None, "words of other types": {"clip": '{"stamp": 1}'}}


@pytest.mark.parametrize("content", PARTS.values(), ids=PARTS)
def test_a_hostile_part_of_an_extraction_is_extracted_again(content, tmp_path):
    clip = SourceClip("a$_$b", tmp_path / "b.mp4", "train", None, {})
    part = extract._part(clip, tmp_path)
    if isinstance(content, bytes):
        part.write_bytes(content)
    else:
        save_file({"audio": np.zeros((1, 1), np.float32)}, part, metadata=content)
    assert not extract._is_done(clip, tmp_path)
