"""Files on their way into the library: kept in pieces, then told apart by checksum, sniffed, and moved in one step."""

import os
import shutil
import time
import uuid
from pathlib import Path, PureWindowsPath

from anyio import CapacityLimiter
from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, sessionmaker

from imlcmm.clean_text import clean_text
from imlcmm.errors import MediaError
from imlcmm.file_kinds import HEAD, file_kind
from imlcmm.files import check_space, file_digest
from imlcmm.serve.jobs.queue import add_job
from imlcmm.serve.state.tables import Recording, Upload
from imlcmm.serve.state.workspace import Workspace, stored_suffix

_KEPT_DAYS, _CHECKSUMS = 7, 4
_BLANKS = str.maketrans("\r\n\t", "   ")
_SPARE = 1 << 28
"""Bytes that stay free on the disk for the database and results."""


class Arrivals:
    """Takes files in; all methods may be called from any thread.

    Attributes:
        busy: Keys of the uploads to which a piece is being added.
        admitting: What keeps the checksums of many files from taking all threads.
    """

    def __init__(self, workspace: Workspace, sessions: sessionmaker[Session]) -> None:
        """Hold where they go."""
        self.workspace, self.sessions = workspace, sessions
        self.busy: set[str] = set()
        self.admitting = CapacityLimiter(_CHECKSUMS)

    def announce(self, name: str, collection: str, size: int, *, awaits_transcript: bool = False) -> Upload:
        """Make room for a file; one whose transcript follows is scored when that is there.

        Raises:
            ImlcmmError: If the disk has no room for it.
        """
        check_space(self.workspace.folder, size + _SPARE)
        upload = Upload(
            key=uuid.uuid4().hex, name=shown_name(name), collection=clean_text(collection), size=size,
            awaits_transcript=awaits_transcript,
        )  # fmt: skip
        self.workspace.arriving(upload.key).touch()
        with self.sessions.begin() as session:
            session.add(upload)
        return upload

    def find(self, key: str) -> Upload | None:
        """Find a file that is arriving."""
        with self.sessions() as session:
            return session.get(Upload, key)

    def count(self) -> int:
        """Count the recordings, and the files that will be some."""
        with self.sessions() as session:
            return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in (Recording, Upload))

    def arrived(self, upload: Upload) -> int:
        """Tell how many bytes are there."""
        part = self.workspace.arriving(upload.key)
        return part.stat().st_size if part.exists() else 0

    def give_up(self, upload: Upload) -> None:
        """Forget a file that is not to come."""
        with self.sessions.begin() as session:
            session.execute(delete(Upload).where(Upload.key == upload.key))
        self.workspace.arriving(upload.key).unlink(missing_ok=True)

    def admit(self, upload: Upload) -> tuple[int, bool]:
        """Make a recording of a file that is complete, and have it scored.

        Returns:
            The recording's number, and whether it was there already under this or another name.

        Raises:
            MediaError: If its first bytes tell that it is no video or sound.
        """
        part = self.workspace.arriving(upload.key)
        with part.open("rb") as file:
            kind = file_kind(file.read(HEAD))
            os.fsync(file.fileno())
        if kind is not None:
            self.give_up(upload)
            raise MediaError(f"{upload.name} is {kind.name}, not a video or sound file: {kind.advice}")
        digest = file_digest(part)
        known = self._known(digest)
        if known is not None:
            self.give_up(upload)
            return known, True
        home = self.workspace.media(upload.key, stored_suffix(upload.name))
        home.parent.mkdir(parents=True, exist_ok=True)
        part.replace(home)
        return self._enter(upload, digest)

    def recover(self) -> None:
        """Finish what a stop interrupted: files that moved in and were not entered, and traces of deleted ones."""
        with self.sessions() as session:
            uploads = list(session.scalars(select(Upload)))
            known = set(session.scalars(select(Recording.key)))
        for upload in uploads:
            home = self.workspace.media(upload.key, stored_suffix(upload.name))
            if home.is_file():
                self._enter(upload, file_digest(home))
            elif time.time() - upload.added > _KEPT_DAYS * 86400:
                self.give_up(upload)
        expected = known | {upload.key for upload in uploads}
        for folder in (self.workspace.folder / "media").iterdir():
            if folder.name not in expected:
                shutil.rmtree(folder, ignore_errors=True)
        for part in (self.workspace.folder / "uploads").iterdir():
            if part.stem not in expected:
                part.unlink()

    def _known(self, digest: str) -> int | None:
        with self.sessions() as session:
            return session.scalar(select(Recording.id).where(Recording.sha256 == digest))

    def _enter(self, upload: Upload, digest: str) -> tuple[int, bool]:
        """Enter a file that lies in its place; of two equal ones that come at once, the second is dropped."""
        recording = Recording(
            key=upload.key, name=upload.name, suffix=stored_suffix(upload.name), collection=upload.collection,
            sha256=digest, size=upload.size,
        )  # fmt: skip
        try:
            with self.sessions.begin() as session:
                session.add(recording)
                session.execute(delete(Upload).where(Upload.key == upload.key))
                session.flush()
                if not upload.awaits_transcript:
                    add_job(session, "score", recording=recording)
            return recording.id, False
        except IntegrityError:
            known = self._known(digest)
            if known is None:
                raise
            self.give_up(upload)
            shutil.rmtree(self.workspace.recording(upload.key), ignore_errors=True)
            return known, True


def shown_name(given: str) -> str:
    """Give the name under which a file is shown: the last part of whatever path a browser sends; it opens nothing."""
    name = clean_text(PureWindowsPath(given.replace("/", "\\")).name).translate(_BLANKS).strip()
    stem, suffix = Path(name).stem, Path(name).suffix
    return f"{stem[: 200 - len(suffix[:20])]}{suffix[:20]}" or "recording"
