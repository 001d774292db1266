"""The folder of a workbench, which one server at a time works in."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from imlcmm.errors import ImlcmmError, MissingPackageError
from imlcmm.features.media.formats import MEDIA
from imlcmm.files import check_folder

_PLAIN = ".bin"


@dataclass(frozen=True)
class Workspace:
    """Where everything lies; no name that a user gave is part of a path here.

    Attributes:
        folder: The workspace.
    """

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return self.folder / "workbench.db"

    @property
    def datasets(self) -> Path:
        """Folder of the data sets, a store each."""
        return self.folder / "datasets"

    @property
    def runs(self) -> Path:
        """Folder of the trained runs."""
        return self.folder / "runs"

    @property
    def work(self) -> Path:
        """Folder of what worker processes hand over."""
        return self.folder / "work"

    def arriving(self, key: str) -> Path:
        """Name the file of an upload that is not complete."""
        return self.folder / "uploads" / f"{key}.part"

    def recording(self, key: str) -> Path:
        """Name the folder of a recording and what belongs to it."""
        return self.folder / "media" / key

    def media(self, key: str, suffix: str) -> Path:
        """Name a recording's own file."""
        return self.recording(key) / f"recording{suffix}"

    def preview(self, key: str) -> Path:
        """Name the copy that browsers can play, made where they cannot play the recording itself."""
        return self.recording(key) / "preview.mp4"

    def make(self) -> None:
        """Make the folders.

        Raises:
            ImlcmmError: If that is not possible there.
        """
        check_folder(self.folder)
        for folder in (self.datasets, self.runs, self.work, self.folder / "uploads", self.folder / "media"):
            folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the workspace, so that no second server works in it.

        Raises:
            ImlcmmError: If one does already.
            MissingPackageError: If the extra `serve` is not installed.
        """
        try:
            from filelock import FileLock, Timeout
        except ImportError as error:
            raise MissingPackageError("filelock is not installed; pip install 'imlcmm[serve]'") from error
        lock = FileLock(self.folder / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout as error:
            raise ImlcmmError(
                f"another imlcmm serve works in {self.folder}; use that one, or choose another --workspace"
            ) from error
        try:
            yield
        finally:
            lock.release()

    def token(self) -> str:
        """Give the workspace's token, made at the first call and readable to its owner alone."""
        file = self.folder / "token"
        try:
            handle = os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        except FileExistsError:
            return file.read_text(encoding="ascii").strip()
        with os.fdopen(handle, "w", encoding="ascii") as out:
            token = secrets.token_urlsafe(32)
            out.write(token)
        return token


def stored_suffix(name: str) -> str:
    """Give the ending under which a recording is kept: its own if it is a media file's, else one that means nothing."""
    ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 - the name is text, and no path
    return ending if ending in MEDIA else _PLAIN
