"""The closed reader of pickles: what it reads, and what it refuses without running anything."""

import contextlib
import os
import pickle
import pickletools
import struct
import tracemalloc
from collections import Counter, OrderedDict, defaultdict, deque
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from imlcmm.datasets.field.lazy import LazyArray
from imlcmm.datasets.field.pickles import read_pickle
from imlcmm.errors import DataError

VALUES = {
    "double": np.random.default_rng(0).normal(size=(50, 40, 30)),
    "half": np.arange(6, dtype="float16").reshape(2, 3),
    "column order": np.asfortranarray(np.random.default_rng(1).normal(size=(300, 40))),
    "turned": np.random.default_rng(2).normal(size=(30, 40, 20)).transpose(0, 2, 1),
    "big end": np.arange(5, dtype=">i4"),
    "empty": np.zeros((0, 3)),
    "unicode": np.array(["é", "yy"]),
    "bytes": np.array([b"a", b"bc"]),
    "truth": np.array([True, False]),
}


def refused(path: Path, content: bytes, match: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=match) as caught:
        read_pickle(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("old_names", [False, True])
def test_arrays_of_every_protocol(tmp_path, protocol, old_names):
    content = pickle.dumps(VALUES, protocol)
    if old_names and protocol < 4:
        content = content.replace(b"numpy._core.", b"numpy.core.")
    elif old_names:
        content = content.replace(b"\x8c\x16numpy._core.multiarray", b"\x8c\x15numpy.core.multiarray")
        content = content.replace(b"\x8c\x13numpy._core.numeric", b"\x8c\x12numpy.core.numeric")
    assert (b"numpy._core" in content) is not old_names
    (tmp_path / "file.pkl").write_bytes(content)
    found = read_pickle(tmp_path / "file.pkl")
    for name, expected in VALUES.items():
        assert isinstance(found[name], LazyArray)
        np.testing.assert_array_equal(found[name].read(), expected)
        np.testing.assert_array_equal(found[name].rows(1, 2), expected[1:2])
        assert found[name].shape == expected.shape


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_values_and_scalars(tmp_path, protocol):
    values = [
        1,
        -2,
        300,
        70000,
        10**30,
        3.5,
        None,
        True,
        False,
        "ä",
        b"",
        b"abc",
        bytearray(b"xy"),
        (1, (2, 3), {"a": [1]}),
    ]
    values += [np.float32(2.5), np.int64(-7), np.str_("abc"), np.str_(""), np.bool_(True), np.array(["p", "q"], object)]
    (tmp_path / "file.pkl").write_bytes(pickle.dumps(values, protocol))
    found = read_pickle(tmp_path / "file.pkl")
    assert found[:13] == [*values[:12], b"xy"]
    assert found[13:] == [[1, [2, 3], {"a": [1]}], 2.5, -7, "abc", "", True, ["p", "q"]]
    assert type(found[14]) is float


def test_strings_of_python_2_stay_bytes(tmp_path):
    (tmp_path / "file.pkl").write_bytes(b"\x80\x02}U\x03a\xe9bq\x00T\x01\x00\x00\x00\xe9s.")
    assert read_pickle(tmp_path / "file.pkl") == {b"a\xe9b": b"\xe9"}


def test_array_of_python_2(tmp_path):
    data = np.arange(3.0)
    content = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03(K\x01K\x03\x85"
        b"cnumpy\ndtype\nU\x02f8K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x18"
        + data.tobytes()
        + b"tb."
    )
    (tmp_path / "file.pkl").write_bytes(content)
    np.testing.assert_array_equal(read_pickle(tmp_path / "file.pkl").read(), data)
    np.testing.assert_array_equal(pickle.loads(content, encoding="latin1"), data)


class Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_hostile_file_runs_nothing(tmp_path, protocol):
    marker = tmp_path / "marker"
    refused(tmp_path / "file.pkl", pickle.dumps({"train": Hostile(marker)}, protocol), r"asks for '(posix|nt)\.system'")
    assert not marker.exists()


class Bunch(dict):
    """A dictionary of a class of one's own."""


def test_names_outside_the_list_are_refused(tmp_path):
    for value, name in (
        (Bunch(a=1), "test_pickles.Bunch.*only plain values and numpy arrays"),
        (eval, "builtins.eval"),
        (np.array, "numpy._core.multiarray.array|numpy.array"),
        ({(1, 2)}, "a value of a set"),
        (complex(1, 2), "builtins.complex"),
        (defaultdict(Bunch), "test_pickles.Bunch"),
        (pd.DataFrame({"a": [1]}), r"pandas.*frame.to_numpy\(\)"),
        (torch.ones(2), r"torch.*tensor.numpy\(\)"),
        (np.zeros(2, "M8[s]"), "array of type"),
        (np.zeros(2, [("a", "f4")]), "array of type|holds"),
        (np.zeros(2, complex), "array of type"),
    ):
        refused(tmp_path / "file.pkl", pickle.dumps(value, 4), name)


def test_calls_of_other_things_are_refused(tmp_path):
    path = tmp_path / "file.pkl"
    refused(path, b"\x80\x02K\x01K\x02\x85R.", "calls something")
    refused(path, b"\x80\x02cnumpy\nndarray\nK\x02\x85R.", "unknown way")
    refused(path, b"\x80\x02c__builtin__\nint\nK\x02\x85R.", "unknown way")
    refused(path, b"\x80\x02cnumpy\nndarray\n.", "holds a function")
    refused(path, b"\x80\x02}(K\x01K\x02u}b.", "sets the state")
    refused(path, b"\x80\x02cos\nsystem\n)\x81.", "os.system")
    refused(path, b"\x80\x02(cos\nsystem\nX\x01\0\0\0xo.", "os.system")
    refused(path, b"\x80\x02Pname\n.", "opcode")
    refused(path, b"\x80\x02\x82\x01.", "opcode")
    refused(path, b"\x80\x02(ios\nsystem\n.", "opcode")
    for text in (b"(cos\nsystem\nVx\no.", b"(ios\nsystem\n.", b"cos\nsystem\n(Vx\ntR."):
        refused(path, text, "protocol 0 or 1")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_other_plain_containers(tmp_path, protocol):
    counted = defaultdict(list)
    counted["b"].append(np.arange(3))
    value = {
        "ordered": OrderedDict(z=1, a=OrderedDict(b=2)),
        "counted": counted,
        "counter": Counter("aab"),
        "deque": deque([1, 2], maxlen=5),
        "set": {1, "x", None},
        "frozen": frozenset((b"y",)),
        "rows": np.array([["v", 1], ["w", 2]], object),
        "columns": np.asfortranarray(np.array([["v", 1], ["w", 2], ["x", None]], object)),
    }
    (tmp_path / "file.pkl").write_bytes(pickle.dumps(value, protocol))
    found = read_pickle(tmp_path / "file.pkl")
    assert list(found["ordered"].items()) == [("z", 1), ("a", {"b": 2})]
    assert type(found["ordered"]) is type(found["counted"]) is dict
    np.testing.assert_array_equal(found["counted"]["b"][0].read(), np.arange(3))
    assert found["counter"] == {"a": 2, "b": 1}
    assert found["deque"] == [1, 2]
    assert (found["set"], found["frozen"]) == ({1, "x", None}, {b"y"})
    assert found["rows"] == [["v", 1], ["w", 2]]
    assert found["columns"] == [["v", 1], ["w", 2], ["x", None]]


def test_ordered_dictionary_of_python_2(tmp_path):
    pairs = b"(]q\x00(U\x01aK\x01e]q\x01(U\x01bK\x02ee"
    (tmp_path / "file.pkl").write_bytes(b"\x80\x02ccollections\nOrderedDict\n]" + pairs + b"\x85R.")
    assert read_pickle(tmp_path / "file.pkl") == {b"a": 1, b"b": 2}


@pytest.mark.parametrize("protocol", [0, 1])
def test_old_protocols_say_how_to_save_again(tmp_path, protocol):
    for value in (VALUES, {"a": [1, True]}, [0.5, True], ["a", True]):
        refused(tmp_path / "file.pkl", pickle.dumps(value, protocol), r"pickle.dump\(data, file, protocol=4\)")


def test_a_second_object_is_not_lost(tmp_path):
    one = pickle.dumps({"a": 1}, 4)
    refused(tmp_path / "file.pkl", one + one, "goes on after its first object; save all splits together")
    (tmp_path / "file.pkl").write_bytes(one + b"\r\n\0")
    assert read_pickle(tmp_path / "file.pkl") == {"a": 1}


def test_damaged_text_is_refused_and_lone_surrogates_are_kept(tmp_path):
    refused(tmp_path / "file.pkl", b"\x80\x04\x8c\x02a\xff.", "no intact pickle")
    (tmp_path / "file.pkl").write_bytes(pickle.dumps("a\ud800b", 4))
    assert read_pickle(tmp_path / "file.pkl") == "a\ud800b"


def repeated(part: bytes, made: bytes, times: int) -> bytes:
    """Put a part into the memo and make the same thing of it again and again."""
    return b"\x80\x02" + part + b"q\x000]" + (made + b"a") * times + b"."


@pytest.mark.parametrize(
    ("part", "made"),
    [
        (b"X\x00\xff\x00\x00" + b"x" * 0xFF00, b"c_codecs\nencode\nh\x00X\x06\0\0\0latin1\x86R"),
        (b"]" + b"(" + b"K\x01" * 30_000 + b"e", b"ccollections\ndeque\nh\x00\x85R"),
        (b"]" + b"(" + b"K\x01K\x02\x86" * 10_000 + b"e", b"ccollections\nOrderedDict\nh\x00\x85R"),
        (b"]" + b"(" + b"K\x01" * 30_000 + b"e", b"c__builtin__\nset\nh\x00\x85R"),
        (
            b"]" + b"(" + b"N" * 30_000 + b"e",
            b"cnumpy.core.multiarray\n_reconstruct\n)R(K\x01M0uK\x01\x86"
            b"cnumpy\ndtype\nU\x02O8K\x00K\x01\x87R\x89h\x00tb",
        ),
        (
            b"T\x40\x77\x01\x00" + b"x" * 96_064,
            b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\nU\x06S90000K\x00K\x01\x87Rh\x00\x86R",
        ),
    ],
    ids=["encode", "deque", "mapping", "set", "object array", "scalar"],
)
def test_parts_named_again_and_again_do_not_fill_memory(tmp_path, part, made):
    tracemalloc.start()
    refused(tmp_path / "file.pkl", repeated(part, made, 3000), "repeats its parts")
    assert tracemalloc.get_traced_memory()[1] < 2e7
    tracemalloc.stop()
    (tmp_path / "file.pkl").write_bytes(repeated(part, made, 1))
    assert len(read_pickle(tmp_path / "file.pkl")) == 1


def test_arrays_that_claim_more_rows_than_the_file_has_bytes(tmp_path):
    for dtype, shape in ((b"f4", b"K\x00J\x00\xca\x9a\x3bK\x00\x87"), (b"U0", b"J\x00\xca\x9a\x3b\x85")):
        content = (
            b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n)R(K\x01" + shape + b"cnumpy\ndtype\nU\x02" + dtype
            + b"K\x00K\x01\x87R\x89U\x00tb."
        )  # fmt: skip
        refused(tmp_path / "file.pkl", content, "intact")


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_truncated_file(tmp_path, share):
    content = pickle.dumps(VALUES, 4)
    refused(tmp_path / "file.pkl", content[: int(len(content) * share)], "cut short" if share else r"empty \(0 bytes\)")


def test_rubbish_raises_nothing_but_data_errors(tmp_path):
    rng = np.random.default_rng(0)
    codes = [op.code.encode("latin-1") for op in pickletools.opcodes]
    for _ in range(500):
        content = b"".join(codes[i] + rng.bytes(rng.integers(0, 3)) for i in rng.integers(0, len(codes), 20))
        (tmp_path / "file.pkl").write_bytes(b"\x80\x04" + content)
        with contextlib.suppress(DataError):
            read_pickle(tmp_path / "file.pkl")


def test_lengths_that_the_file_does_not_have(tmp_path):
    path = tmp_path / "file.pkl"
    for code in (b"\x8e", b"\x96", b"\x8d"):
        refused(path, b"\x80\x05" + code + struct.pack("<Q", 1 << 60) + b"abc.", "cut short")
    refused(path, b"\x80\x04\x8b" + struct.pack("<i", 1 << 30) + b".", "intact")
    content = pickle.dumps(np.zeros((3, 5)), 3)
    refused(path, content.replace(b"K\x03K\x05\x86", b"K\x03K\x06\x86"), "intact")


def test_deep_and_repeating_nesting_neither_recurses_nor_fills_memory(tmp_path):
    path = tmp_path / "file.pkl"
    path.write_bytes(b"\x80\x02" + b"]" * 30_000 + b"a" * 29_999 + b".")
    assert isinstance(read_pickle(path), list)
    refused(path, b"\x80\x02}" + b")" + b"\x85" * 30_000 + b"K\x01s.", "a key of a dictionary")
    laughs = b"\x80\x02K\x01" + b"".join(b"2\x86" for _ in range(60)) + b"."
    tracemalloc.start()
    path.write_bytes(laughs)
    read_pickle(path)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_large_arrays_stay_in_the_file(tmp_path):
    big = np.arange(4_000_000, dtype="float64").reshape(1000, 4000)
    for protocol in (3, 4, 5):
        (tmp_path / "file.pkl").write_bytes(pickle.dumps({"a": big}, protocol))
        tracemalloc.start()
        rows = read_pickle(tmp_path / "file.pkl")["a"].rows(500, 502)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        np.testing.assert_array_equal(rows, big[500:502])
        assert peak < 1e6
