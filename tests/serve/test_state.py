"""What is kept: the database and its versions, the workspace and its lock, events and the worker's handover."""

import asyncio
import sqlite3
import stat
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from imlcmm.cli import main
from imlcmm.errors import DataError
from imlcmm.serve.events import Hub
from imlcmm.serve.state.database import choose, open_database, sessions, setting
from imlcmm.serve.state.tables import Table
from imlcmm.serve.state.workspace import Workspace
from imlcmm.serve.work.handover import Heard, say


def test_the_migrations_make_what_the_tables_are(tmp_path):
    engine = open_database(tmp_path / "x.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Table.metadata) == []
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()
    open_database(tmp_path / "x.db").dispose()


def test_what_is_no_database_is_kept_and_told(tmp_path):
    file = tmp_path / "x.db"
    file.write_bytes(b"this is no database, but somebody's diary " * 50)
    with pytest.raises(DataError, match="keep it, and choose another --workspace"):
        open_database(file)
    assert file.read_bytes().startswith(b"this is no database")


def test_a_database_of_a_newer_version_is_refused(tmp_path):
    open_database(tmp_path / "x.db").dispose()
    with sqlite3.connect(tmp_path / "x.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(DataError, match="of a newer imlcmm"):
        open_database(tmp_path / "x.db")


def test_choices_are_kept_and_replaced(tmp_path):
    opening = sessions(open_database(tmp_path / "x.db"))
    for value in ("one", "two"):
        with opening.begin() as session:
            choose(session, "model", value)
    with opening() as session:
        assert (setting(session, "model"), setting(session, "nothing")) == ("two", "")


def test_a_workspace_has_one_server_at_a_time(tmp_path):
    workspace = Workspace(tmp_path)
    workspace.make()
    held = (
        "from pathlib import Path; from imlcmm.serve.state.workspace import Workspace\n"
        f"with Workspace(Path({str(tmp_path)!r})).held(): pass"
    )
    with workspace.held():
        tried = subprocess.run([sys.executable, "-c", held], capture_output=True, text=True, check=False)
        assert "another imlcmm serve works in" in tried.stderr
    subprocess.run([sys.executable, "-c", held], check=True)


def test_a_token_is_made_once_and_for_its_owner_alone(tmp_path):
    workspace = Workspace(tmp_path)
    token = workspace.token()
    assert len(token) > 30
    assert workspace.token() == token
    assert stat.S_IMODE((tmp_path / "token").stat().st_mode) == 0o600


def test_a_workspace_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "x").write_text("")
    with pytest.raises(SystemExit):
        main(["serve", "--workspace", str(tmp_path / "x"), "--no-open"])
    assert "is a file, not a folder" in capsys.readouterr().err


def test_a_port_that_is_taken_is_told_in_a_line(tmp_path, capsys):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SystemExit):
            main(["serve", "--workspace", str(tmp_path / "x"), "--port", str(taken.getsockname()[1]), "--no-open"])
    assert "try --port 0" in capsys.readouterr().err


def test_the_server_starts_without_what_its_workers_need():
    heavy = ("torch", "lightning", "pandas", "matplotlib", "transformers")
    code = f"import sys, imlcmm.serve.server; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_missing_package_is_named_with_the_extra_that_brings_it(tmp_path):
    code = "import sys; sys.modules['fastapi'] = None; from imlcmm.cli import main; main(['serve'])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert told.stderr == "imlcmm: fastapi is not installed; pip install 'imlcmm[serve]'\n"
    assert list(tmp_path.iterdir()) == []


def test_every_listener_hears_and_a_slow_one_loads_anew():
    async def hear():
        hub = Hub()
        hub.publish("nobody listens yet")
        hub.attach()
        quick, slow = hub.listen(), hub.listen()
        first = [asyncio.ensure_future(anext(each)) for each in (quick, slow)]
        await asyncio.sleep(0)
        hub.publish("job", job=1)
        assert [await each for each in first] == [{"event": "job", "job": 1}] * 2
        for i in range(501):
            hub.publish("job", job=i)
        await asyncio.sleep(0.05)
        assert await anext(slow) == {"event": "reload"}
        hub.close()
        assert [event async for event in quick] == [{"event": "reload"}]
        assert [event async for event in slow] == []
        assert not hub._queues

    asyncio.run(hear())


def test_half_a_line_is_heard_when_it_is_whole(tmp_path):
    out = tmp_path / "x.jsonl"
    heard = Heard(out)
    assert list(heard) == []
    say(out, "one", value="é\n")
    with out.open("a", encoding="utf-8") as file:
        file.write('{"what": "tw')
    assert list(heard) == [{"what": "one", "value": "é\n"}]
    with out.open("a", encoding="utf-8") as file:
        file.write('o"}\n')
    assert list(heard) == [{"what": "two"}]
