"""From the store to Parquet folders and WebDataset shards, and back to the same bytes."""

import builtins
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imlcmm.cli import main
from imlcmm.datasets.convert import convert
from imlcmm.datasets.interchange import folders, parquet_in, parquet_out
from imlcmm.datasets.interchange.names import ENDINGS, cut
from imlcmm.datasets.loading import load_dataset
from imlcmm.datasets.stores.store import StoreWriter
from imlcmm.errors import DataError, MissingPackageError
from imlcmm.types import ABSENT, Clip

datasets = pytest.importorskip("datasets")
pq = pytest.importorskip("pyarrow.parquet")
wds = pytest.importorskip("webdataset")

FORMS = ("parquet", "webdataset")
WIDTHS = {"text": 2, "audio": 3, "vision": 4}
KIND = """
name: mood
low: 1
high: 5
neutral: 2.5
class_edges: [2, 3]
label: mood
unimodal: {audio: voice}
"""


def clip(name, steps=(2, 3, 4), labels=0.5, **more):
    draw = np.random.default_rng(len(name))
    sequences = {m: draw.normal(size=(n, w)) for (m, w), n in zip(WIDTHS.items(), steps, strict=True)}
    return Clip(
        name,
        more.pop("transcript", "said"),
        sequences | more.pop("sequences", {}),
        {"multimodal": float(labels)},
        **more,
    )


def written(folder, clips, split="train", **options):
    with StoreWriter(folder, **({"kind": "simsv2", "widths": WIDTHS} | options)) as writer:
        for each in clips:
            writer.add(split, each)
    return folder


def same(first, second):
    assert sorted(p.name for p in first.iterdir()) == sorted(p.name for p in second.iterdir())
    for path in first.iterdir():
        assert (second / path.name).read_bytes() == path.read_bytes(), path.name


def there_and_back(store, form, folder, **options):
    out = folders.export_folder(load_dataset(store), folder / form, form, **options)
    back = convert(out, folder / "back.store", progress=False)
    same(store, back)
    return out


def broken():
    """Give clips with a missing frame, a missing value, and a column that is missing almost everywhere."""
    frames = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    frames[2], frames[4, 1], frames[:, 3] = np.nan, np.inf, np.nan
    return [clip("a$_$1", sequences={"vision": frames}), clip("b$_$2", steps=(2, 0, 0)), clip("c", steps=(1, 1, 1))]


STORES = {
    "missing frames, values, columns": lambda f: written(f, broken(), notes={"source": {"name": "x.pkl", "bytes": 5}}),
    "half precision": lambda f: written(f, broken(), dtype="float16"),
    "no audio at all": lambda f: written(
        f, [clip("a", sequences={"audio": np.zeros((0, 1))})], widths=WIDTHS | {"audio": 1}, features={"audio": ABSENT}
    ),
    "names of all kinds": lambda f: written(
        f, [clip(n, transcript=n * 3) for n in ("x.y/../z.json", "视频$_$1", "-", " ", "null", "\U0001f600", "a\nb\t")]
    ),
    "written text steps and tokens": lambda f: written(
        f, [clip("a", tokens=np.array([[101, 1, 0], [7, 1, 0]]), pieces=["[CLS]", "好"]),
            clip("bc", tokens=np.array([[5, 1, 0]] * 3), steps=(3, 1, 0))],
    ),
    "tokens alone": lambda f: written(
        f, [clip("a", tokens=np.ones((2, 3), int), sequences={"text": np.zeros((2, 0))})], widths=WIDTHS | {"text": 0}
    ),
    "steps of no width": lambda f: written(
        f, [clip("a", sequences={"text": np.zeros((2, 0))})], widths=WIDTHS | {"text": 0}
    ),
    "unlabelled clips alone": lambda f: written(f, [clip("a", labels=0.1), Clip("b", "", {})], "unlabelled"),
    "CMU's kind": lambda f: written(f, [clip("a", labels=-2.6666667), clip("b", labels=-0.0)], "test", kind="mosei"),
    "simulated": lambda f: written(f, [clip("a")], simulated=True, features={"audio": "mfcc-25"}),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("make", STORES.values(), ids=STORES)
def test_every_store_comes_back_byte_by_byte(make, form, tmp_path):
    there_and_back(make(tmp_path / "store"), form, tmp_path)


@pytest.mark.parametrize("form", FORMS)
def test_splits_and_oracles_come_back(simulated_folder, form, tmp_path):
    out = there_and_back(simulated_folder, form, tmp_path, shard=100_000)
    ending = ENDINGS[form]
    assert len([p for p in out.rglob(f"train-*{ending}")]) > 2
    assert load_dataset(tmp_path / "back.store").checksum == load_dataset(simulated_folder).checksum


def test_clips_are_the_same_in_batches_of_any_size(simulated_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_in, "_BATCH", 500_000)
    monkeypatch.setattr(parquet_out, "_GROUP", 300_000)
    out = there_and_back(simulated_folder, "parquet", tmp_path)
    file = next(out.rglob("train-*.parquet"))
    assert pq.ParquetFile(file).metadata.num_row_groups > 1
    assert load_dataset(tmp_path / "back.store").checksum == load_dataset(simulated_folder).checksum


@pytest.mark.parametrize("form", FORMS)
def test_a_kind_of_ones_own_and_the_manifest_of_an_extraction_travel_along(form, tmp_path):
    (tmp_path / "mood.yaml").write_text(KIND)
    store = written(tmp_path / "store", [clip("a", labels=4), clip("b", labels=1)], kind=str(tmp_path / "mood.yaml"))
    (store / "clips.csv").write_text("clip,file,split,status,reason\na,a.mp4,train,complete,\n")
    there_and_back(store, form, tmp_path)
    with pytest.raises(DataError, match="is of kind mood, not sims"):
        convert(tmp_path / form, tmp_path / "other", kind="sims", progress=False)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=5),
    labels=st.lists(st.one_of(st.just(np.nan), st.floats(-1, 1, width=32)), min_size=20, max_size=20),
    dtype=st.sampled_from(["float32", "float16"]),
    holes=st.floats(0, 0.6),
    form=st.sampled_from(FORMS),
)
def test_any_clips_come_back(tmp_path_factory, steps, labels, dtype, holes, form):
    folder, draw = tmp_path_factory.mktemp("any"), np.random.default_rng(len(steps))
    with StoreWriter(folder / "store", kind="sims", widths=WIDTHS, dtype=dtype) as writer:
        for row, lengths in enumerate(steps):
            sequences = {m: draw.normal(size=(n, w)) for (m, w), n in zip(WIDTHS.items(), lengths, strict=True)}
            for frames in sequences.values():
                frames[draw.random(frames.shape) < holes] = np.nan
            own = dict(zip(("multimodal", *WIDTHS), labels[4 * row : 4 * row + 4], strict=True))
            known = {target: value for target, value in own.items() if not np.isnan(value)}
            writer.add(("train", "test")[row % 2], Clip(f"{row}", "", sequences, known))
    there_and_back(folder / "store", form, folder, shard=300)


def test_hugging_face_reads_the_folder(simulated, tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    folders.export_folder(simulated, tmp_path / "out", "parquet", shard=200_000)
    read = datasets.load_dataset(str(tmp_path / "out"), streaming=True)
    assert list(read) == ["train", "valid", "test", "unlabelled"]
    for row, sample in enumerate(read["train"].with_format("numpy")):
        for m in WIDTHS:
            np.testing.assert_array_equal(sample[m], simulated.train.frames(m, row))
        assert sample["id"] == simulated.train.ids[row]
        assert sample["label"] == simulated.train.labels[row, 0]
    assert row == 64
    names = read["train"].features["class"].names
    edges = np.array([-0.7, -0.1, 0.1, 0.7])
    first = next(iter(read["test"]))
    assert names[first["class"]] == ["-0.9", "-0.4", "0", "0.4", "0.9"][int((first["label"] > edges + 1e-6).sum())]
    whole = datasets.load_dataset(str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert whole["unlabelled"].num_rows == 30
    assert set(whole["unlabelled"]["label"]) == {None}


def test_webdataset_reads_the_shards(simulated, tmp_path):
    folders.export_folder(simulated, tmp_path / "out", "webdataset", shard=100_000)
    shards = sorted(str(path) for path in (tmp_path / "out").glob("valid-*.tar"))
    samples = list(wds.WebDataset(shards, shardshuffle=False).decode())
    assert len(samples) == 24 > len(shards) > 1
    for row, sample in enumerate(samples):
        assert sample["json"]["id"] == simulated.valid.ids[row]
        assert np.float32(sample["json"]["label_A"]) == simulated.valid.labels[row, 2].numpy()
        np.testing.assert_array_equal(sample["audio.npy"], simulated.valid.frames("audio", row))


def test_writing_twice_gives_the_same_bytes(simulated, tmp_path):
    for form in FORMS:
        one, two = (folders.export_folder(simulated, tmp_path / f"{form}{n}", form) for n in (1, 2))
        for path in one.rglob("*.*"):
            assert path.read_bytes() == (two / path.relative_to(one)).read_bytes()


def rows(count=4, **more):
    draw = np.random.default_rng(0)
    own = {
        "id": [f"v$_${n}" for n in range(count)],
        "transcript": ["said"] * count,
        "text": [draw.normal(size=(n + 1, 2)).tolist() for n in range(count)],
        "audio": [draw.normal(size=(3, 3)).tolist() for _ in range(count)],
        "label": [0.5, None, -1.0, float("nan")][:count],
    }
    return {key: value for key, value in (own | more).items() if value is not None}


def foreign(folder, columns=None, name="train-00000.parquet", features=None):
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    datasets.Dataset.from_dict(columns or rows(), features=features).to_parquet(folder / name)
    return folder


def test_somebody_elses_parquet(tmp_path):
    columns = rows(label_A=[0.1, 0.2, 0.3, 0.4], more=["kept out"] * 4)
    foreign(tmp_path / "f", columns, "train.parquet")
    foreign(tmp_path / "f", columns | {"id": list(range(4))}, "validation/0000.parquet")
    foreign(tmp_path / "f", columns | {"id": list("abcd")}, "data/test-00000-of-00001.parquet")
    data = load_dataset(convert(tmp_path / "f", tmp_path / "s", kind="sims", dtype="float16", progress=False))
    assert list(data.splits) == ["train", "valid", "test"]
    assert data.spec.widths == {"text": 2, "audio": 3, "vision": 1}
    assert data.spec.absent == ("vision",)
    assert data.valid.ids == ["0", "1", "2", "3"]
    for row in range(4):
        np.testing.assert_array_equal(data.train.frames("text", row), np.float16(np.float32(columns["text"][row])))
    np.testing.assert_array_equal(data.train.labels[:, 0], np.float32([0.5, np.nan, -1, np.nan]))
    np.testing.assert_array_equal(data.train.labels[:, 2], np.float32([0.1, 0.2, 0.3, 0.4]))


def test_other_types_of_lists_in_parquet(tmp_path):
    """Fixed shapes, integers, nulls inside and instead of lists, and marks of what is valid."""
    features = datasets.Features(
        {"id": datasets.Value("large_string"), "label": datasets.Value("int8"),
         "text": datasets.Array2D((2, 2), "int16"),
         "vision": datasets.LargeList(datasets.List(datasets.Value("float64"))),
         "vision_valid": datasets.List(datasets.Value("bool"))}
    )  # fmt: skip
    columns = {
        "id": ["a", "b", "c"], "label": [1, 0, None], "text": [[[1, 2], [3, 4]]] * 3,
        "vision": [[[0.5], [None]], None, [[7.0]]], "vision_valid": [[True, True], None, [False]],
    }  # fmt: skip
    foreign(tmp_path / "f", columns, features=features)
    data = load_dataset(convert(tmp_path / "f", tmp_path / "s", kind="mosi", progress=False))
    assert data.train.frames("text", 2).tolist() == [[1, 2], [3, 4]]
    assert [data.train.valid_frames("vision", row).tolist() for row in range(3)] == [[True, False], [], [False]]
    assert data.train.lengths("vision").tolist() == [2, 0, 1]


def test_somebody_elses_shards(tmp_path):
    (tmp_path / "f").mkdir()
    with (tmp_path / "f" / "dev-0.tar").open("wb") as file, wds.TarWriter(file) as tar:
        for n in range(3):
            tar.write(
                {
                    "__key__": f"x/{n}",
                    "json": {"label": n / 2 - 0.5},
                    "audio.npy": np.asfortranarray(np.ones((n, 2)) * n),
                }
            )
    data = load_dataset(convert(tmp_path / "f", tmp_path / "s", kind="sims", progress=False))
    assert (data.valid.ids, data.valid.labels[:, 0].tolist()) == (["x/0", "x/1", "x/2"], [-0.5, 0, 0.5])
    assert data.valid.frames("audio", 2).tolist() == [[2, 2], [2, 2]]
    assert data.spec.absent == ("text", "vision")


def test_labels_under_names_of_ones_own(tmp_path):
    (tmp_path / "mood.yaml").write_text(KIND)
    foreign(tmp_path / "f", rows(label=None, mood=[1, 2, 5, 4.5], voice=[1.0, None, 2.0, 3.0]))
    data = load_dataset(convert(tmp_path / "f", tmp_path / "s", kind=str(tmp_path / "mood.yaml"), progress=False))
    assert data.train.labels[:, 0].tolist() == [1, 2, 5, 4.5]
    assert data.train.labels[2, 2] == 2


def shift(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


LACKING = {
    "no kind": (foreign, None, "nothing tells its kind; give kind as one of simsv2, sims"),
    "no id": (lambda f: foreign(f, rows(id=None)), "sims", "None is no id; every clip needs 'id'"),
    "no label": (lambda f: foreign(f, rows(label=None)), "sims", "no clip of split train has a label in label"),
    "no features": (lambda f: foreign(f, rows(text=None, audio=None)), "sims", "no clip has a frame of text, audio"),
    "no split": (lambda f: foreign(f, name="part.parquet"), "sims", "does not tell its split; begin its name"),
    "an id twice": (lambda f: foreign(f, rows(id=["a"] * 4)), "sims", "the id occurs twice"),
    "a label too large": (lambda f: foreign(f, rows(label=[0, 0, 3, 0])), "sims", "the multimodal label is 3"),
    "a label of text": (lambda f: foreign(f, rows(label=["good"] * 4)), "sims", "label is 'good'; a number is needed"),
    "features of text": (lambda f: foreign(f, rows(text=["abc"] * 4)), "sims", "text is 'abc'; a list of frames"),
    "flat features": (lambda f: foreign(f, rows(text=[[1.0, 2.0]] * 4)), "sims", "a list of frames is needed"),
    "uneven frames": (lambda f: foreign(f, rows(text=[[[1.0], [1.0, 2.0]]] * 4)), "sims", "frames have 1 to 2 numbers"),
    "frames of another width": (
        lambda f: foreign(f, rows(id=list("abcd"), text=[[[1.0]]] * 4), "test.parquet") and foreign(f),
        "sims", r"shape \(1, 2\), but \(steps, 1\)|frames have|shape",
    ),
    "fewer marks than frames": (
        lambda f: foreign(f, rows(audio_valid=[[True]] * 4)), "sims", "3 frames and the marks .* of validity"
    ),
    "tokens of fractions": (
        lambda f: foreign(f, rows(tokens=[[[0.5, 1.0, 0.0]]] * 4)), "sims", "tokens are .* whole numbers"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("make", "kind", "match"), LACKING.values(), ids=LACKING)
def test_what_lacks_something_is_told_in_one_line(make, kind, match, tmp_path):
    make(tmp_path / "f")
    with pytest.raises(DataError, match=match) as refusal:
        convert(tmp_path / "f", tmp_path / "s", kind=kind, progress=False)
    assert "\n" not in str(refusal.value)
    assert [path.name for path in tmp_path.iterdir()] == ["f"]


@pytest.mark.parametrize("form", FORMS)
def test_a_folder_of_which_something_went_missing(simulated, form, tmp_path):
    out = folders.export_folder(simulated, tmp_path / form, form)
    path = next(out.rglob(f"test-*{ENDINGS[form]}"))
    shift(out / "imlcmm.json", lambda facts: facts["splits"]["train"].update(clips=66))
    with pytest.raises(DataError, match="holds 65 clips of split train instead of 66"):
        convert(out, tmp_path / "s", progress=False)
    path.unlink()
    with pytest.raises(DataError, match=f"{path.name} is missing; copy"):
        convert(out, tmp_path / "s", progress=False)


def test_outputs_that_cannot_be(simulated_folder, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    with pytest.raises(DataError, match="exists and is no such folder"):
        convert(simulated_folder, tmp_path / "full", to="parquet", progress=False)
    with pytest.raises(DataError, match="or say to what: parquet or webdataset"):
        convert(simulated_folder, tmp_path / "other", progress=False)
    out = convert(simulated_folder, tmp_path / "out", to="webdataset", progress=False)
    with pytest.raises(DataError, match="is no store; convert it into one first, and that one into parquet"):
        convert(out, tmp_path / "other", to="parquet", progress=False)
    with pytest.raises(DataError, match="is one file; give the folder"):
        convert(out / "train-000000.tar", tmp_path / "other", progress=False)
    convert(simulated_folder, out, to="parquet", progress=False)
    assert not list(out.glob("*.tar"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "out"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full to act as a full disk")
def test_a_full_disk_leaves_nothing(simulated_folder, tmp_path, monkeypatch):
    real = Path.open

    def opened(path: Path, *arguments, **options):
        return real(Path("/dev/full") if path.suffix == ".tar" else path, *arguments, **options)

    monkeypatch.setattr(Path, "open", opened)
    with pytest.raises(DataError, match="disk is full"):
        convert(simulated_folder, tmp_path / "out", to="webdataset", progress=False)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["datasets", "webdataset", "pyarrow"])
def test_without_the_extra_one_line_names_it(simulated_folder, name, tmp_path, monkeypatch):
    for module in [m for m in sys.modules if m.partition(".")[0] == name]:
        monkeypatch.delitem(sys.modules, module)
    real = builtins.__import__

    def without(module, *arguments, **options):
        if module.partition(".")[0] == name:
            raise ModuleNotFoundError(module, name=name)
        return real(module, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingPackageError, match=rf"^{name} is not installed; pip install 'imlcmm\[interchange\]'$"):
        convert(simulated_folder, tmp_path / "out", to="parquet", progress=False)


def test_the_command_goes_there_and_back(simulated_folder, tmp_path, capsys):
    for form in FORMS:
        main(["convert", str(simulated_folder), str(tmp_path / form), "--to", form])
        assert capsys.readouterr().out == f"{tmp_path / form} written\n"
        main(["convert", str(tmp_path / form), str(tmp_path / f"{form}.store")])
        assert load_dataset(simulated_folder).checksum in capsys.readouterr().out


def test_a_pickle_goes_to_parquet_through_a_store(simulated, tmp_path, capsys):
    convert(simulated.path, tmp_path / "x.pkl", progress=False)
    main(["convert", str(tmp_path / "x.pkl"), str(tmp_path / "out"), "--to", "parquet", "--kind", "simsv2"])
    assert "out written" in capsys.readouterr().out
    assert (tmp_path / "out" / "data").is_dir()


def test_runs_are_cut_by_bytes_and_rows():
    assert cut(np.array([5, 5, 5]), 10, 9) == [(0, 2), (2, 3)]
    assert cut(np.array([50, 5, 5, 5]), 10, 2) == [(0, 1), (1, 3), (3, 4)]
    assert cut(np.array([1] * 5), 100, 2) == [(0, 2), (2, 4), (4, 5)]
    assert cut(np.array([], int), 10, 2) == []
