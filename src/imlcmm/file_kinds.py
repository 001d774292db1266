"""Files that are not what they are given for, told by their first bytes, such as a web page saved as a data set."""

import re
from typing import NamedTuple

HEAD = 4096


class FileKind(NamedTuple):
    """What a file is, and what to do about it.

    Attributes:
        name: Such as "a web page".
        advice: What to do instead, as an imperative.
    """

    name: str
    advice: str


_AGAIN = "download it again"
_UNPACK = "unpack it and give the file inside"
_SAVE = "and save its arrays in the field's layout with pickle.dump(data, file, protocol=4)"
_WITH_NUMPY = f"open it with numpy.load {_SAVE}"
_WITH_PANDAS = f"open it with pandas {_SAVE}"
_TORCH = FileKind("a file of torch.save", f"open it with torch.load(file, weights_only=True) {_SAVE}")

GZIP = FileKind("packed with gzip", "unpack it with gunzip")
TEXT_PICKLE = FileKind("a pickle of protocol 0 or 1", "save it again with pickle.dump(data, file, protocol=4)")

# What the beginning of a file matches; the first that does is taken.
_KINDS: tuple[tuple[bytes, FileKind], ...] = (
    (rb"\Z", FileKind("empty (0 bytes)", _AGAIN)),
    (rb"\0+\Z", FileKind("nothing but zero bytes, as a download that broke off leaves it", _AGAIN)),
    (rb"\x1f\x8b", GZIP),
    (rb"BZh[1-9]", FileKind("packed with bzip2", "unpack it with bunzip2")),
    (rb"\xfd7zXZ\0", FileKind("packed with xz", "unpack it with unxz")),
    (rb"\x28\xb5\x2f\xfd", FileKind("packed with zstd", "unpack it with unzstd")),
    (rb"\x04\x22\x4d\x18", FileKind("packed with lz4", "unpack it with unlz4")),
    (rb"x[\x01\x5e\x9c\xda]", FileKind("packed with zlib", f"open it with joblib.load {_SAVE}")),
    (rb"7z\xbc\xaf\x27\x1c", FileKind("a 7z archive", _UNPACK)),
    (rb"Rar!\x1a\x07", FileKind("a RAR archive", _UNPACK)),
    (rb".{257}ustar", FileKind("a tar archive", _UNPACK)),
    (rb"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\.", _TORCH),
    (rb"PK\x03\x04.{26}[^/\0]+/(?:data\.pkl|version|byteorder|\.format_version)", _TORCH),
    (rb"PK\x03\x04.{26}[\w/. -]{1,200}\.npy", FileKind("several numpy arrays (.npz)", _WITH_NUMPY)),
    (
        rb"PK\x03\x04.{26}(?:\[Content_Types\]|_rels/|xl/|docProps/|mimetype)",
        FileKind("a spreadsheet or an office document", "save it as CSV in UTF-8"),
    ),
    (rb"PK(?:\x03\x04|\x05\x06)", FileKind("a zip archive", _UNPACK)),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", FileKind("an old office document", "save it as CSV in UTF-8")),
    (rb"\x93NUMPY", FileKind("a numpy array (.npy)", _WITH_NUMPY)),
    (rb"\x89HDF\r\n\x1a\n", FileKind("an HDF5 file", f"open it with h5py {_SAVE}")),
    (rb"MATLAB \d", FileKind("a MATLAB file", f"open it with scipy.io.loadmat or h5py {_SAVE}")),
    (rb"PAR1", FileKind("a Parquet table", _WITH_PANDAS)),
    (rb"ARROW1|FEA1", FileKind("an Arrow or Feather table", _WITH_PANDAS)),
    (rb"SQLite format 3\0", FileKind("an SQLite database", _WITH_PANDAS)),
    (rb"%PDF-", FileKind("a PDF document", "give the file that it describes")),
    (rb".{4}\0{4}\{[\"}]", FileKind("a safetensors file", "give the folder that it lies in, if that is a store")),
    (rb"version https://git-lfs\.github\.com/spec/", FileKind("a Git LFS pointer", "fetch the file with git lfs pull")),
    (rb"[./]*(?:\.git)?/annex/objects/", FileKind("a git-annex pointer", "fetch the file with git annex get")),
    (
        rb"(?:\xef\xbb\xbf)?\s*(?:<!--.*?-->\s*)*<(?i:!doctype\s+html|html|head|body)[\s>]",
        FileKind("a web page", f"the site asked something first: log in or take the direct link, and {_AGAIN}"),
    ),
    (rb"(?:\xef\xbb\xbf)?\s*<\?xml\s", FileKind("an XML document, such as a file server's error", _AGAIN)),
)
# The same for text, where a pickle is needed.
_TEXTS: tuple[tuple[bytes, FileKind], ...] = (
    (
        rb"\((?:[dl]p?\d*\r?\n|[VSI(]|[ci]\w)|c[A-Za-z_][\w.]*\r?\n[A-Za-z_]\w*\r?\n|[VSIFL][^\n]*\n(?:p\d+\r?\n)?\.",
        TEXT_PICKLE,
    ),
    (rb"(?:\xef\xbb\xbf)?\s*[{\[]", FileKind("JSON", f"open it with json.load {_SAVE}")),
    (
        rb"[^\n]*[,;\t]",
        FileKind("a table of text (CSV)", f"give labels to extract --labels, or open it with pandas {_SAVE}"),
    ),
    (rb"", FileKind("plain text", "give a pickle of features")),
)
_NOT_IN_TEXT = re.compile(rb"[\0-\x08\x0b\x0e-\x1f]")


def file_kind(head: bytes) -> FileKind | None:
    """Tell a file that came broken, packed or in another format.

    Args:
        head: Its first HEAD bytes, or all.

    Returns:
        What it is, or None if its beginning shows nothing of that.
    """
    return _first(_KINDS, head)


def text_kind(head: bytes) -> FileKind | None:
    """Tell text, where a pickle is needed.

    Args:
        head: The file's first HEAD bytes, or all.

    Returns:
        What it is, or None if it is no text.
    """
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return FileKind("text in UTF-16", "give a pickle of features")
    return None if _NOT_IN_TEXT.search(head) else _first(_TEXTS, head)


def _first(kinds: tuple[tuple[bytes, FileKind], ...], head: bytes) -> FileKind | None:
    return next((kind for beginning, kind in kinds if re.match(beginning, head, re.DOTALL)), None)
