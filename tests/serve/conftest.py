"""A workbench in which nothing is scored, and its library."""

import time

import pytest
from fastapi.testclient import TestClient

from benches import URL, make_bench
from imlcmm.serve.state.tables import DONE, Recording, SpokenUtterance


@pytest.fixture
def app(tmp_path):
    return make_bench(tmp_path / "bench")


@pytest.fixture
def client(app):
    with TestClient(app, base_url=URL) as client:
        yield client


@pytest.fixture
def add(app, client):
    """Add a scored recording to the database: utterances are (start, end, words, sentiment, confidence, agreement)."""

    def add(name="talk.mp4", utterances=((0, 2, "good", 0.5, 0.9, "agreement"),), **more):
        bench = app.state.bench
        with bench.sessions.begin() as session:
            key = f"{name}-{time.monotonic_ns()}"
            values = {
                "suffix": ".mp4", "size": 1, "status": DONE, "is_cut": True, "duration": 60.0, "model": "m",
                "has_sound": True, "has_picture": True, **more,
            }  # fmt: skip
            row = Recording(key=key, name=name, sha256=key, **values)
            session.add(row)
            session.flush()
            for start, end, words, sentiment, confidence, agreement in utterances:
                content = {"interval": [-1.0, 1.0], "unimodal": {"text": sentiment}, "cues": {"loudness": -20.0}}
                session.add(
                    SpokenUtterance(
                        recording_id=row.id, start=start, end=end, transcript=words, sentiment=sentiment,
                        confidence=confidence, agreement=agreement, is_stale=False, content=content,
                    )
                )  # fmt: skip
            return row.id

    return add
