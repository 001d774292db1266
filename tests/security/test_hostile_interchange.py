"""A folder of Parquet files or tar shards that somebody sent."""

import ast
import io
import json
import os
import tarfile
import time
from pathlib import Path

import numpy as np
import pytest

from imlcmm.datasets.convert import convert
from imlcmm.datasets.interchange import parquet_in
from imlcmm.datasets.interchange.folders import export_folder
from imlcmm.datasets.loading import load_dataset
from imlcmm.errors import DataError

pytest.importorskip("datasets")
pytest.importorskip("webdataset")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

JSON = b'{"label": 0.5}'


def npy(array, **header):
    """Write an array, with a header that claims something else."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": array.dtype.str, "fortran_order": False, "shape": array.shape} | header
    )
    return file.getvalue() + array.tobytes()


AUDIO = npy(np.ones((2, 3), np.float32))


def shard(folder, members, tail=b""):
    """Write a shard of (name or TarInfo, content) after a good clip."""
    folder.mkdir(exist_ok=True)
    path = folder / "train-000000.tar"
    with tarfile.open(path, "w") as tar:
        for name, content in [("good.json", JSON), ("good.audio.npy", AUDIO), *members]:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    if tail:
        path.write_bytes(path.read_bytes() + tail)
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def audio(content, more=JSON):
    return lambda f: shard(f, [("a.audio.npy", content), ("a.json", more)])


def text(content):
    return lambda f: shard(f, [("a.json", content), ("a.audio.npy", AUDIO)])


def refused_of(convert_folder, tmp_path, name):
    """Convert, and give the one line; nothing may be left, taken or slow."""
    before = sorted(path for path in tmp_path.rglob("*"))
    begin = time.perf_counter()
    with pytest.raises(DataError, match=name) as refusal:
        convert(convert_folder, tmp_path / "store", kind="sims", progress=False)
    assert time.perf_counter() - begin < 5
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600
    assert sorted(path for path in tmp_path.rglob("*")) == before


def claimed(size):
    """Give a member whose header claims more bytes than there are."""

    def write(folder):
        path = shard(folder, [])
        info = tarfile.TarInfo("big.audio.npy")
        info.size = size
        head = info.tobuf(tarfile.GNU_FORMAT)
        content = path.read_bytes()
        end = len(content.rstrip(b"\0")) // 512 * 512 + 512
        path.write_bytes(content[:end] + head + AUDIO)

    return write


def cut_short(at):
    def write(folder):
        path = shard(folder, [(f"{n}.json", JSON) for n in range(9)])
        path.write_bytes(path.read_bytes()[:at])

    return write


def damaged_head(folder):
    path = shard(folder, [])
    content = bytearray(path.read_bytes())
    content[1024 + 148 : 1024 + 156] = b"99999999"
    path.write_bytes(content)


def sparse(folder):
    """Write a sparse member of GNU's form, which claims 10^11 bytes of zeros."""
    folder.mkdir()
    info = tarfile.TarInfo("a.audio.npy")
    info.pax_headers = {"GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": str(10**11),
                        "GNU.sparse.map": "0,0"}  # fmt: skip
    with tarfile.open(folder / "train-0.tar", "w", format=tarfile.PAX_FORMAT) as tar:
        tar.addfile(info)


def compressed(folder):
    shard(folder, [])
    path = folder / "train-000000.tar"
    with tarfile.open(folder / "x", "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("a.json"))
    (folder / "x").replace(path)


TARS = {
    "a file above the folder": lambda f: shard(f, [("../../out.json", JSON)]),
    "a file by an absolute path": lambda f: shard(f, [("/tmp/out.json", JSON)]),
    "a file above, in Windows' spelling": lambda f: shard(f, [("..\\..\\out.json", JSON)]),
    "a symbolic link": lambda f: shard(f, [(special("a.json", tarfile.SYMTYPE, "/etc/passwd"), b"")]),
    "a hard link": lambda f: shard(f, [(special("a.json", tarfile.LNKTYPE, "good.json"), b"")]),
    "a device": lambda f: shard(f, [(special("a.json", tarfile.CHRTYPE), b"")]),
    "a pipe": lambda f: shard(f, [(special("a.json", tarfile.FIFOTYPE), b"")]),
    "a sparse file": sparse,
    "a compressed shard": compressed,
    "a file of 10^12 bytes": claimed(10**12),
    "a file of 900 MB that is not there": claimed(900 << 20),
    "cut in a file": cut_short(3000),
    "cut in a header": cut_short(5 * 512 + 100),
    "cut between clips": cut_short(5 * 1024),
    "empty": cut_short(0),
    "no tar": lambda f: shard(f, []).write_bytes(b"<html>" * 500),
    "a damaged header": damaged_head,
    "an unknown file": lambda f: shard(f, [("a.txt", b"hello")]),
    "a file without a name": lambda f: shard(f, [(".json", JSON)]),
    "the same file twice": lambda f: shard(f, [("a.json", JSON), ("a.json", JSON)]),
    "arrays without JSON": lambda f: shard(f, [("a.audio.npy", AUDIO)]),
    "10^12 elements": audio(npy(np.ones((2, 3), np.float32), shape=(10**12, 3))),
    "elements beyond counting": audio(npy(np.ones((2, 3), np.float32), shape=(2**63, 2**63))),
    "a shape below zero": audio(npy(np.ones((2, 3), np.float32), shape=(-2, -3))),
    "a shape of truths": audio(npy(np.ones((2, 3), np.float32), shape=(True, 6))),
    "fewer elements than bytes": audio(npy(np.ones((2, 3), np.float32), shape=(1, 3))),
    "texts": audio(npy(np.array([["a"]]))),
    "a structure": audio(npy(np.zeros((2, 3), "f4,i4"))),
    "dates": audio(npy(np.zeros((2, 3), "M8[s]"))),
    "complex numbers": audio(npy(np.zeros((2, 3), np.complex64))),
    "one axis": audio(npy(np.ones(3, np.float32))),
    "three axes": audio(npy(np.ones((1, 2, 3), np.float32))),
    "another width": audio(npy(np.ones((2, 4), np.float32))),
    "no axis": audio(npy(np.float32(1))),
    "another version": audio(b"\x93NUMPY\x09\x00" + AUDIO[8:]),
    "a header of 64 kB": audio(b"\x93NUMPY\x01\x00\xff\xff" + b"[" * 65535),
    "a header that is code": audio(b"\x93NUMPY\x01\x00\x20\x00__import__('os').system('ls')    "),
    "an empty array file": audio(b""),
    "JSON 100,000 levels deep": text(b"[" * 100_000),
    "JSON of a list": text(b"[1]"),
    "JSON that is none": text(b"{'label': 1}"),
    "JSON in no encoding": text(b"\xff\xfe\x00"),
    "an id that is a list": text(b'{"id": ["a"], "label": 0}'),
    "a label that is a text": text(b'{"label": "__import__"}'),
    "a label that is infinite": text(b'{"label": Infinity}'),
    "a label beyond floats": text(b'{"label": 1' + b"0" * 400 + b"}"),
    "pieces that are numbers": text(b'{"label": 0, "pieces": [1]}'),
    "10^12 steps": text(b'{"label": 0, "steps": {"text": 1000000000000}}'),
    "steps as a text": text(b'{"label": 0, "steps": {"text": "1"}}'),
    "a transcript that is a number": text(b'{"label": 0, "transcript": 5}'),
}


@pytest.mark.parametrize("attack", TARS.values(), ids=TARS)
def test_a_hostile_shard_is_refused_in_one_line(attack, tmp_path):
    attack(tmp_path / "f")
    refused_of(tmp_path / "f", tmp_path, r"train-0+\.tar|f, split train, clip a: (audio|the multimodal)")


@pytest.mark.parametrize("suffix", ["pyd", "pkl", "pickle", "pth", "audio.npy", "json", "mp", "cbor", "npz"])
def test_a_pickle_in_a_shard_never_runs(suffix, bomb, canary, tmp_path):
    shard(tmp_path / "f", [("a.json", JSON), (f"b.{suffix}", bomb)])
    refused_of(tmp_path / "f", tmp_path, r"train-000000\.tar")
    assert not canary.exists()


def test_an_array_of_objects_never_runs(bomb, canary, tmp_path):
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, {"descr": "|O", "fortran_order": False, "shape": (2, 3)})
    audio(content.getvalue() + bomb)(tmp_path / "f")
    refused_of(tmp_path / "f", tmp_path, "holds .object.; numbers are needed")
    assert not canary.exists()


def test_a_name_that_webdataset_takes_for_a_command_is_a_name(canary, tmp_path):
    folder = tmp_path / "f" / f"pipe:touch {canary.name}"
    shard(folder.parent, [])
    folder.mkdir()
    (folder.parent / "train-000000.tar").rename(folder / "train-0.tar")
    load_dataset(convert(folder, tmp_path / "s", kind="sims", progress=False))
    assert not any(path.name == canary.name for path in tmp_path.rglob("*"))


def table(folder, name="train-0.parquet", **columns):
    folder.mkdir(exist_ok=True)
    own = {"id": ["a", "b"], "label": [0.5, 0.0], "audio": [[[1.0, 2.0]], [[3.0, 4.0]]]} | columns
    pq.write_table(pa.table(own), folder / name)
    return folder / name


def edited(edit):
    def write(folder):
        path = table(folder)
        path.write_bytes(edit(path.read_bytes()))

    return write


def fixed_lists_that_are_not(folder):
    """Claim, in the schema that Arrow keeps beside Parquet's own, that each frame has 10^9 numbers."""
    folder.mkdir()
    kind = pa.list_(pa.list_(pa.float64(), 10**9))
    claim = pa.schema([("id", pa.string()), ("label", pa.float64()), ("audio", kind)]).serialize().to_pybytes()
    import base64

    own = pa.table({"id": ["a"], "label": [0.5], "audio": [[[1.0, 2.0]]]})
    with pq.ParquetWriter(folder / "train-0.parquet", own.schema, store_schema=False) as writer:
        writer.write_table(own)
        writer.add_key_value_metadata({"ARROW:schema": base64.b64encode(claim).decode()})


PARQUET = {
    "cut in half": edited(lambda b: b[: len(b) // 2]),
    "cut by the footer": edited(lambda b: b[:-9]),
    "a footer of 2 GB": edited(lambda b: b[:-8] + (2**31 - 1).to_bytes(4, "little") + b"PAR1"),
    "a footer of zeros": edited(lambda b: b[:-60] + bytes(52) + b[-8:]),
    "pages of zeros": edited(lambda b: b[:4] + bytes(len(b) // 3) + b[4 + len(b) // 3 :]),
    "pages of noise": edited(lambda b: b[:30] + os.urandom(len(b) // 3) + b[30 + len(b) // 3 :]),
    "no Parquet": edited(lambda b: b"<html>" * 100),
    "empty": edited(lambda b: b""),
    "lists of 10^9 that are not there": fixed_lists_that_are_not,
    "features that are structures": lambda f: table(f, audio=[{"x": 1.0}, {"x": 2.0}]),
    "features that are maps": lambda f: table(f, audio=pa.array([[("a", 1)]] * 2, pa.map_(pa.string(), pa.int8()))),
    "lists in lists in lists": lambda f: table(f, audio=[[[[1.0]]], [[[2.0]]]]),
    "features that are bytes": lambda f: table(f, audio=[b"\x80\x04.", b"x"]),
    "frames that are texts": lambda f: table(f, audio=[[["a"]], [["b"]]]),
    "null frames": lambda f: table(f, audio=[[None, [1.0]], [[2.0]]]),
    "dates as numbers": lambda f: table(f, audio=pa.array([[[1]], [[2]]], pa.list_(pa.list_(pa.timestamp("s"))))),
    "ids that are lists": lambda f: table(f, id=[["a"], ["b"]]),
    "ids that are null": lambda f: table(f, id=pa.nulls(2)),
    "ids that are bytes in no encoding": lambda f: table(f, id=[b"\xff", b"\xfe"]),
    "ids in no encoding, called texts": lambda f: table(
        f, id=pa.Array.from_buffers(pa.string(), 2, [None, *pa.array([b"\xff", b"\xfe"]).buffers()[1:]])
    ),
    "labels that are structures": lambda f: table(f, label=[{"a": 1}, {"a": 2}]),
    "labels that are infinite": lambda f: table(f, label=[float("inf"), 0.0]),
    "transcripts that are numbers": lambda f: table(f, transcript=[1, 2]),
    "pieces that are numbers": lambda f: table(f, pieces=[[1], [2]]),
    "tokens that are texts": lambda f: table(f, tokens=[[["a"] * 3]] * 2),
    "an oracle of whole numbers": lambda f: table(f, oracle=[[[1]], [[2]]]),
}


@pytest.mark.parametrize("attack", PARQUET.values(), ids=PARQUET)
def test_a_hostile_parquet_file_is_refused_in_one_line(attack, tmp_path):
    attack(tmp_path / "f")
    refused_of(tmp_path / "f", tmp_path, r"train-0\.parquet|is needed|split train|nothing can be learnt")


def test_a_row_group_that_unfolds_without_measure_is_refused_before_it_is_read(tmp_path, monkeypatch):
    frames = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(20_000_000)), 100_000)
    path = table(tmp_path / "f", audio=pa.ListArray.from_arrays(pa.array([0, 100, 200], pa.int32()), frames))
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(parquet_in, "_LARGEST", 100 << 20)
    monkeypatch.setattr(parquet_in, "_next", None)
    refused_of(tmp_path / "f", tmp_path, r"train-0\.parquet: a row group unfolds to 0\.2 GB")


def outside(name):
    def write(folder):
        folder.mkdir()
        table(folder.parent / "other").rename(folder.parent / "secret.parquet")
        (folder / name).symlink_to(folder.parent / "secret.parquet")

    return write


LINKS = {
    "a file elsewhere": outside("train-0.parquet"),
    "a device": lambda f: (f.mkdir(), (f / "train-0.parquet").symlink_to("/dev/zero")),
    "a pipe": lambda f: (f.mkdir(), os.mkfifo(f / "train-0.parquet")),
    "a folder elsewhere": lambda f: (f.mkdir(), table(f.parent / "o"), (f / "train").symlink_to(f.parent / "o")),
}


@pytest.mark.parametrize("attack", LINKS.values(), ids=LINKS)
def test_links_out_of_the_folder_are_refused(attack, tmp_path):
    attack(tmp_path / "f")
    refused_of(tmp_path / "f", tmp_path, r"train-0\.parquet (leads out|is neither|is missing)")


@pytest.fixture(params=["parquet", "webdataset"])
def ours(request, simulated, tmp_path):
    return export_folder(simulated, tmp_path / "f", request.param)


def change(edit):
    def changed(folder):
        path = folder / "imlcmm.json"
        facts = json.loads(path.read_text())
        edit(facts)
        path.write_text(json.dumps(facts))

    return changed


def linked(folder):
    (folder / "imlcmm.json").unlink()
    (folder / "imlcmm.json").symlink_to("/dev/zero")


def train(**values):
    return change(lambda m: m["splits"]["train"].update(values))


FACTS = {
    "no JSON": lambda f: (f / "imlcmm.json").write_text("{'a'"),
    "a list": lambda f: (f / "imlcmm.json").write_text("[1]"),
    "100,000 levels deep": lambda f: (f / "imlcmm.json").write_text("[" * 100_000),
    "a device": linked,
    "another format": change(lambda m: m.update(format="1; import os")),
    "another form": change(lambda m: m.update(form="pickle")),
    "no kind": change(lambda m: m.pop("kind")),
    "an unknown kind": change(lambda m: m.update(kind="../kind.yaml")),
    "rules that are none": change(lambda m: m.update(kind="own", rules={"name": "own", "low": "a"})),
    "widths of 10^12": change(lambda m: m["widths"].update(audio=10**12)),
    "a width below zero": change(lambda m: m["widths"].update(audio=-1)),
    "a width that is not the files'": change(lambda m: m["widths"].update(audio=17)),
    "a width that is a truth": change(lambda m: m["widths"].update(audio=True)),
    "an unknown number format": change(lambda m: m.update(dtype="object")),
    "features that are a list": change(lambda m: m.update(features=["a"])),
    "an absent modality of some width": change(lambda m: m["features"].update(audio="none")),
    "columns left out that there are not": change(lambda m: m["left_out"].update(audio=[10**6])),
    "columns left out of something else": change(lambda m: m["left_out"].update(smell=[1])),
    "columns left out below zero": change(lambda m: m["left_out"].update(audio=[-1])),
    "notes that are a list": change(lambda m: m.update(notes=[])),
    "extractors that are numbers": change(lambda m: m["notes"].update(extractors={"audio": 1})),
    "extractors with fewer columns": change(lambda m: m["notes"].update(extractors={"audio": {"columns": ["a"]}})),
    "a split above the folder": change(lambda m: m["splits"].update({"../train": m["splits"].pop("train")})),
    "a file above the folder": train(files=["../../etc/passwd"]),
    "a file of Windows' above the folder": train(files=["data\\..\\train-00000-of-00001.parquet"]),
    "an absolute file": train(files=["/etc/passwd"]),
    "a file of another split": train(files=["test-000000.tar"]),
    "an address": train(files=["https://example.org/train-000000.tar"]),
    "a command": train(files=["pipe:touch canary; train-000000.tar"]),
    "files as a text": train(files="train-000000.tar"),
    "a file twice": change(lambda m: m["splits"]["train"].update(files=m["splits"]["train"]["files"] * 2)),
    "10^12 clips": train(clips=10**12),
    "no files": train(files=[]),
    "filled values as a text": train(filled={"text": "1", "audio": 1, "vision": 1}),
    "no splits": change(lambda m: m.update(splits={})),
}


@pytest.mark.parametrize("attack", FACTS.values(), ids=FACTS)
def test_hostile_facts_are_refused_in_one_line(attack, ours, tmp_path):
    attack(ours)
    with pytest.raises(DataError) as refusal:
        convert(ours, tmp_path / "store", progress=False)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f"]


CARDS = {
    "files elsewhere": "---\nconfigs:\n- config_name: default\n  data_files: /etc/passwd\n---\n",
    "an address": "---\nconfigs:\n- config_name: default\n  data_files: https://example.org/x.parquet\n---\n",
    "YAML objects": "---\na: !!python/object/apply:os.system ['touch canary']\n---\n",
    "nothing": "",
    "other features": "---\ndataset_info:\n  features:\n  - name: id\n    dtype: int8\n---\n",
}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_what_the_card_says_is_not_believed(card, ours, simulated, tmp_path):
    (ours / "README.md").write_text(card)
    (ours / "data.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    (ours / "f.py").write_text(f"open({str(tmp_path / 'canary')!r}, 'w')")
    assert load_dataset(convert(ours, tmp_path / "store", progress=False)).checksum == simulated.checksum
    assert not (tmp_path / "canary").exists()


def test_the_code_names_no_decoder_that_could_run_something():
    """Neither webdataset's decoders, nor loading by `datasets`, nor pickles, in whatever module of the room."""
    room = Path(parquet_in.__file__).parent
    named = {
        node.attr if isinstance(node, ast.Attribute) else node.id
        for path in room.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert "group_by_keys" in named
    assert not named & {
        "decode_pickle",
        "WebDataset",
        "load_dataset",
        "load_from_disk",
        "pickle",
        "load",
        "eval",
        "exec",
    }
