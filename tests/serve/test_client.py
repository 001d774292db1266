"""The Python client against a server that really listens."""

import threading
from contextlib import contextmanager

import pytest
import uvicorn

from benches import make_bench
from imlcmm.errors import ImlcmmError
from imlcmm.serve.client import Client
from imlcmm.serve.state.tables import DONE, FAILED, Recording

MEDIA = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
TOKEN = "a-token-of-some-length"


@contextmanager
def serving(app):
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture
def served(tmp_path):
    app = make_bench(tmp_path / "bench", token=TOKEN)
    with serving(app) as url:
        yield app, url


def test_upload_wait_correct_and_export(served, tmp_path):
    app, url = served
    file = tmp_path / "a talk.mp4"
    file.write_bytes(MEDIA)
    with Client(url, token=TOKEN) as client:
        number = client.upload(file, collection="Interviews")
        assert client.upload(file) == number
        with app.state.bench.sessions.begin() as session:
            session.get(Recording, number).status = DONE
        assert client.wait(number)["collection"] == "Interviews"
        out = client.export(number, "json", tmp_path / "x.json")
        assert "a talk.mp4" in out.read_text()
        with pytest.raises(ImlcmmError, match="there is no utterance 99"):
            client.correct(99, transcript="x")


def test_what_goes_wrong_is_one_line(served, tmp_path):
    app, url = served
    page = tmp_path / "clip.mp4"
    page.write_bytes(b"<!doctype html><p>log in first</p>")
    with Client(url, token=TOKEN) as client:
        with pytest.raises(ImlcmmError, match="is a web page, not a video or sound file"):
            client.upload(page)
        page.write_bytes(MEDIA)
        number = client.upload(page)
        with pytest.raises(ImlcmmError, match="not scored after"):
            client.wait(number, timeout=0.1)
        with app.state.bench.sessions.begin() as session:
            row = session.get(Recording, number)
            row.status, row.failure = FAILED, "clip.mp4 is damaged"
        with pytest.raises(ImlcmmError, match=r"clip\.mp4 is damaged"):
            client.wait(number)
    with pytest.raises(ImlcmmError, match="asks for its token"):
        Client(url).call("/status")
    with pytest.raises(ImlcmmError, match="is imlcmm serve running"):
        Client("http://127.0.0.1:9", timeout=1.0).call("/status")
