"""Files that are something else: named for what they are, with the way out, wherever they are given."""

import bz2
import gzip
import io
import json
import lzma
import pickle
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch

from imlcmm.datasets.field.pickles import read_pickle
from imlcmm.datasets.labels.label_table import read_rows
from imlcmm.errors import DataError, MediaError
from imlcmm.features.media.probe import probe
from imlcmm.features.subtitles.transcripts import read_transcript

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
PAGE = b"\n<!-- saved -->\n<!DOCTYPE HTML>\n<html><head><title>Sign in</title></head></html>"
ARRAYS = {"train": {"audio": np.arange(60.0).reshape(3, 4, 5)}}


def in_memory(write) -> bytes:
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def zipped(name: str) -> bytes:
    return in_memory(lambda buffer: zipfile.ZipFile(buffer, "w").writestr(name, "text"))


def tarred() -> bytes:
    with tarfile.open(fileobj=(buffer := io.BytesIO()), mode="w") as archive:
        archive.add(__file__, "a.pkl")
    return buffer.getvalue()


OTHERS = {
    "empty": (b"", r"empty \(0 bytes\), where a pickle of protocol 2 to 5 is needed; download it again"),
    "zeros": (b"\0" * 10_000, "nothing but zero bytes"),
    "page": (PAGE, "a web page, where a pickle of protocol 2 to 5 is needed; .*log in or take the direct link"),
    "page with a mark": (b"\xef\xbb\xbf<html lang='en'>", "a web page"),
    "error of a file server": (b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML document"),
    "lfs": (LFS, "a Git LFS pointer, where a pickle of protocol 2 to 5 is needed; fetch the file with git lfs pull"),
    "annex": (b"/annex/objects/MD5E-s123--abc.pkl\n", "git annex get"),
    "bz2": (bz2.compress(pickle.dumps(ARRAYS)), "packed with bzip2.*bunzip2"),
    "xz": (lzma.compress(pickle.dumps(ARRAYS)), "packed with xz.*unxz"),
    "zstd": (b"\x28\xb5\x2f\xfd\x24\0", "zstd"),
    "zlib": (zlib.compress(pickle.dumps(ARRAYS)), "packed with zlib.*joblib.load"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
    "rar": (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
    "zip": (zipped("a.txt"), "a zip archive, where a pickle of protocol 2 to 5 is needed; unpack it"),
    "xlsx": (zipped("[Content_Types].xml"), "a spreadsheet or an office document"),
    "tar": (tarred(), "a tar archive"),
    "tar.gz": (gzip.compress(tarred()), "a tar archive"),
    "torch": (
        in_memory(lambda b: torch.save(ARRAYS, b)),
        r"a file of torch.save.*torch.load\(file, weights_only=True\)",
    ),
    "old torch": (
        in_memory(lambda b: torch.save({"a": torch.ones(2)}, b, _use_new_zipfile_serialization=False)),
        "a file of torch.save",
    ),
    "npz": (in_memory(lambda b: np.savez(b, audio=np.ones(2))), r"several numpy arrays \(.npz\).*numpy.load"),
    "compressed npz": (in_memory(lambda b: np.savez_compressed(b, **{"train/audio": np.ones(2)})), r"\.npz"),
    "npy": (in_memory(lambda b: np.save(b, np.ones(2))), r"a numpy array \(.npy\)"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + b"\0" * 100, "an HDF5 file.*h5py"),
    "matlab": (b"MATLAB 5.0 MAT-file, Platform: GLNXA64" + b" " * 90, "a MATLAB file.*scipy.io.loadmat"),
    "matlab 7.3": (b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + b" " * 90, "a MATLAB file.*h5py"),
    "parquet": (b"PAR1\x15\x04\x15", "a Parquet table.*pandas"),
    "arrow": (b"ARROW1\0\0\xff", "Arrow"),
    "sqlite": (b"SQLite format 3\0\x10", "SQLite"),
    "safetensors": (safetensors.numpy.save({"a": np.ones(2)}), "a safetensors file"),
    "csv": (b"video_id,clip_id,text,label,mode\nv,1,x,0.5,train\n", r"a table of text \(CSV\).*extract --labels"),
    "csv in gb18030": ("片段\t文本\n".encode("gb18030") * 500, r"\(CSV\)"),
    "json": (
        json.dumps({"train": {"id": ["a"]}}).encode(),
        "JSON, where a pickle .*; open it with json.load",
    ),
    "json with a mark": (b"\xef\xbb\xbf [1, 2]", "JSON"),
    "utf-16": ("a,b".encode("utf-16"), "text in UTF-16"),
    "text": (b"404: Not Found", "plain text"),
    "pickle as text": (pickle.dumps(ARRAYS, 0), "protocol 0 or 1.*protocol=4"),
    "pickle of a list as text": (pickle.dumps([1.5], 0), "protocol 0 or 1"),
    "pickle of a word as text": (pickle.dumps("abc", 0), "protocol 0 or 1"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_that_are_no_pickle_are_named(tmp_path, name):
    content, match = OTHERS[name]
    (tmp_path / "a.pkl").write_bytes(content)
    with pytest.raises(DataError, match=f"a.pkl is .*{match}") as caught:
        read_pickle(tmp_path / "a.pkl")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("protocol", [2, 5])
def test_gzip_is_read(tmp_path, protocol):
    arrays = {"big": np.random.default_rng(0).normal(size=(300, 50)), "turned": np.asfortranarray(np.ones((400, 70)))}
    (tmp_path / "a.pkl.gz").write_bytes(gzip.compress(pickle.dumps(arrays, protocol)))
    found = read_pickle(tmp_path / "a.pkl.gz")
    for name, expected in arrays.items():
        np.testing.assert_array_equal(found[name].read(), expected)


def test_damaged_and_swelling_gzip_is_refused(tmp_path):
    packed = gzip.compress(pickle.dumps(np.random.default_rng(0).normal(size=3000)))
    swelling = gzip.compress(pickle.dumps(bytes(100_000_000)))
    damaged = packed[:100] + bytes(100) + packed[200:]
    for content, match in (
        (packed[:5000], "cut short or damaged"),
        (damaged, "cut short or damaged"),
        (gzip.compress(gzip.compress(pickle.dumps(ARRAYS))), "is packed with gzip, where a pickle"),
        (swelling, "more than 200 times its size.*gunzip"),
    ):
        (tmp_path / "a.pkl").write_bytes(content)
        with pytest.raises(DataError, match=match):
            read_pickle(tmp_path / "a.pkl")


def test_a_folder_is_no_pickle(tmp_path):
    with pytest.raises(DataError, match="is a folder, where a pickle"):
        read_pickle(tmp_path)


@pytest.mark.parametrize(
    ("read", "name", "error"),
    [(read_rows, "label.csv", DataError), (read_transcript, "a.txt", MediaError), (probe, "a.mp4", MediaError)],
)
@pytest.mark.parametrize(("content", "match"), [(LFS, "is a Git LFS pointer"), (PAGE, "is a web page")])
def test_label_files_transcripts_and_videos_are_named_too(tmp_path, read, name, error, content, match):
    path: Path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(error, match=match):
        read(path)
