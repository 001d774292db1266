"""The database of a workspace: SQLite with a write-ahead log, brought to the present form when it is opened."""

from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event, select
from sqlalchemy.orm import Session, sessionmaker

from imlcmm.errors import DataError, reason_of
from imlcmm.serve.state.tables import Setting

_PATIENCE = 30.0
"""Seconds that a writer waits for another."""


def open_database(file: Path) -> Engine:
    """Open a database, made where there is none and migrated where it is older.

    Raises:
        DataError: If the file is no database, or of a newer version than this one.
    """
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": _PATIENCE, "check_same_thread": False})
    event.listen(engine, "connect", _on_connect)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).with_name("migrations")).replace("%", "%%"))
    try:
        with engine.begin() as connection:
            configuration.attributes["connection"] = connection
            command.upgrade(configuration, "head")
    except Exception as error:  # Alembic and SQLite raise many kinds
        engine.dispose()
        raise DataError(
            f"{file} cannot be opened ({reason_of(error)}); it is damaged, or of a newer imlcmm: keep it, and choose "
            "another --workspace"
        ) from error
    return engine


def sessions(engine: Engine) -> sessionmaker[Session]:
    """Give what opens sessions; objects stay readable after a commit."""
    return sessionmaker(engine, expire_on_commit=False)


def setting(session: Session, key: str) -> str:
    """Read a choice; empty where none was made."""
    return session.scalar(select(Setting.value).where(Setting.key == key)) or ""


def choose(session: Session, key: str, value: str) -> None:
    """Keep a choice."""
    session.merge(Setting(key=key, value=value))


def _on_connect(connection: Any, _: Any) -> None:
    """Set up a connection: a log that readers do not wait for, and keys that are checked."""
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
