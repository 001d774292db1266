"""The tables of the workbench's database."""

import time
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

WAITING, RUNNING, DONE, FAILED, CANCELLED = "waiting", "running", "done", "failed", "cancelled"


class Table(DeclarativeBase):
    """What all tables have in common."""

    type_annotation_map = {dict[str, Any]: JSON, float: Double}  # noqa: RUF012 - SQLAlchemy's own way


class Recording(Table):
    """A video or sound file.

    Its status follows from its job: `waiting`, `running`, `done` or `failed`. Scale and model are those of its scores.
    """

    __tablename__ = "recordings"

    id: Mapped[int] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(index=True)
    suffix: Mapped[str]
    collection: Mapped[str] = mapped_column(default="", index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    size: Mapped[int]
    added: Mapped[float] = mapped_column(default=time.time)
    status: Mapped[str] = mapped_column(default=WAITING)
    failure: Mapped[str] = mapped_column(default="")
    duration: Mapped[float | None]
    has_picture: Mapped[bool] = mapped_column(default=False)
    has_sound: Mapped[bool] = mapped_column(default=False)
    has_preview: Mapped[bool] = mapped_column(default=False)
    is_cut: Mapped[bool] = mapped_column(default=False)
    model: Mapped[str] = mapped_column(default="")
    low: Mapped[float] = mapped_column(default=-1.0)
    high: Mapped[float] = mapped_column(default=1.0)
    neutral: Mapped[float] = mapped_column(default=0.0)
    utterances: Mapped[list["SpokenUtterance"]] = relationship(
        back_populates="recording", order_by="SpokenUtterance.start", cascade="all, delete-orphan"
    )


class SpokenUtterance(Table):
    """A stretch of a recording; `content` holds what no query asks for: interval, modalities, words, moments, cues.

    `is_stale` says that its scores are not of its present words, cut and model, or are not there yet.
    """

    __tablename__ = "utterances"
    __table_args__ = (Index("utterances_in_order", "recording_id", "start"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    recording_id: Mapped[int] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    start: Mapped[float]
    end: Mapped[float]
    transcript: Mapped[str] = mapped_column(default="")
    speaker: Mapped[str] = mapped_column(default="")
    is_corrected: Mapped[bool] = mapped_column(default=False)
    is_stale: Mapped[bool] = mapped_column(default=True)
    sentiment: Mapped[float | None]
    confidence: Mapped[float | None]
    agreement: Mapped[str] = mapped_column(default="")
    content: Mapped[dict[str, Any]] = mapped_column(default=dict)
    recording: Mapped[Recording] = relationship(back_populates="utterances")
    labels: Mapped[list["Label"]] = relationship(back_populates="utterance", cascade="all, delete-orphan")


class Upload(Table):
    """A file that is arriving; how much is there, the file itself tells.

    One that awaits a transcript is not scored before that has come.
    """

    __tablename__ = "uploads"

    key: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    collection: Mapped[str] = mapped_column(default="")
    size: Mapped[int]
    awaits_transcript: Mapped[bool] = mapped_column(default=False)
    added: Mapped[float] = mapped_column(default=time.time)


class Job(Table):
    """Work for a process of its own; its progress lives in the server's memory.

    `subject` names what it is about where that is no recording: a run, or a data set. An urgent one goes first.
    """

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    subject: Mapped[str] = mapped_column(default="")
    recording_id: Mapped[int | None] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    payload: Mapped[dict[str, Any]] = mapped_column(default=dict)
    is_urgent: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default=WAITING, index=True)
    message: Mapped[str] = mapped_column(default="")
    added: Mapped[float] = mapped_column(default=time.time)
    ended: Mapped[float | None]


class Label(Table):
    """What one rater says of one utterance in one target: multimodal, text, audio or vision."""

    __tablename__ = "labels"
    __table_args__ = (UniqueConstraint("utterance_id", "rater", "target"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    utterance_id: Mapped[int] = mapped_column(ForeignKey("utterances.id", ondelete="CASCADE"), index=True)
    rater: Mapped[str]
    target: Mapped[str]
    value: Mapped[float]
    utterance: Mapped[SpokenUtterance] = relationship(back_populates="labels")


class Setting(Table):
    """A choice that holds for the whole workspace, such as the model that scores it."""

    __tablename__ = "settings"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
