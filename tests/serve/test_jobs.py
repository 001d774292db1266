"""The whole way of a recording through real worker processes, and what stops on it cost."""

import time

import av
import numpy as np
import pytest
from fastapi.testclient import TestClient

from benches import URL, make_bench, upload, wait_for, wait_for_job
from clips import Picture, Sound, make_clip, not_a_video
from imlcmm.serve.jobs.queue import add_job
from imlcmm.serve.state.tables import RUNNING, Job, Recording

SUBTITLES = (
    "WEBVTT\n\n00:00.000 --> 00:01.000\n<v Anna>what a wonderful day\n\n00:01.200 --> 00:02.000\n<v Bo>this is awful\n"
)


def voice(seconds=2.0, seed=0):
    draw = np.random.default_rng(seed)
    moments = np.arange(int(16_000 * seconds)) / 16_000
    return (0.2 * draw.normal(size=moments.size) * np.sin(8 * np.pi * moments) ** 2).astype(np.float32)


@pytest.fixture
def scoring(tmp_path):
    with TestClient(make_bench(tmp_path / "bench", workers=1), base_url=URL) as client:
        yield client


def send_file(client, path):
    return int(upload(client, path.read_bytes(), path.name).headers["imlcmm-recording"])


def test_the_way_of_a_recording(scoring, tmp_path, subtests):
    """One way with stations, since a worker takes seconds to start."""
    path = make_clip(tmp_path / "day.mp4", Picture(np.zeros((20, 48, 64, 3), "uint8"), rate=10), Sound(voice()))
    number = send_file(scoring, path)
    wait_for(scoring, number)
    place = f"/api/v1/recordings/{number}/transcript?name=day.vtt"
    assert scoring.put(place, content=SUBTITLES).status_code == 200
    scored = wait_for(scoring, number)
    first, second = scored["utterance_list"]

    with subtests.test("it is probed, cut by its subtitles, scored and measured"):
        assert (scored["status"], scored["model"]) == ("done", "starter model")
        assert (scored["has_picture"], scored["has_sound"]) == (True, True)
        assert scored["duration"] == pytest.approx(2.0, abs=0.2)
        assert (first["transcript"], second["transcript"]) == ("what a wonderful day", "this is awful")
        assert (first["speaker"], second["speaker"]) == ("Anna", "Bo")
        assert first["sentiment"] > 0 > second["sentiment"]
        assert (first["interval"], first["doubts"]) == (None, ["few words"])
        assert first["missing"]["audio"] == "the model was trained without it"
        assert set(first["cues"]) >= {"loudness", "pauses"}
        assert first["words"][0]["text"] == "what"

    with subtests.test("a correction scores that utterance alone, and a corrected name stays"):
        correction = {"transcript": "what a terrible, sad day", "speaker": "Ann"}
        scoring.patch(f"/api/v1/utterances/{first['id']}", json=correction)
        changed, same = wait_for(scoring, number)["utterance_list"]
        assert changed["sentiment"] < 0
        assert changed["speaker"] == "Ann"
        assert same == second

    with subtests.test("two halves are scored after a cut"):
        scoring.post(f"/api/v1/utterances/{second['id']}/split", json={"at": 1.6})
        halves = wait_for(scoring, number)["utterance_list"][1:]
        assert [half["is_stale"] for half in halves] == [False, False]

    with subtests.test("what is no video fails under its own name"):
        found = wait_for(scoring, send_file(scoring, not_a_video(tmp_path / "my holiday.mp4")))
        assert found["status"] == "failed"
        assert "my holiday.mp4" in found["failure"]
        assert "/media/" not in found["failure"]

    with subtests.test("what browsers cannot play gets a copy that they can"):
        grey = Picture(np.full((10, 48, 64, 3), 99, "uint8"), rate=10, codec="mpeg4")
        old = send_file(scoring, make_clip(tmp_path / "old.avi", grey, Sound(voice(1.0), codec="mp2")))
        wait_for(scoring, old)
        wait_for_job(scoring, next(j["id"] for j in scoring.get("/api/v1/jobs").json() if j["kind"] == "preview"))
        copy = tmp_path / "copy.mp4"
        copy.write_bytes(scoring.get(f"/api/v1/recordings/{old}/preview").content)
        with av.open(str(copy)) as container:
            assert container.streams.video[0].codec_context.name == "h264"
            assert container.streams.audio[0].codec_context.name == "aac"

    with subtests.test("a job that runs or waits can be stopped"):
        stop_both(scoring, tmp_path)


def stop_both(scoring, folder):
    long = send_file(scoring, make_clip(folder / "long.wav", Sound(voice(120.0, 5), codec="pcm_s16le")))
    short = send_file(scoring, make_clip(folder / "short.wav", Sound(voice(1.0, 6), codec="pcm_s16le")))
    until = time.monotonic() + 60
    while scoring.get(f"/api/v1/recordings/{long}").json()["status"] != "running":
        assert time.monotonic() < until
        time.sleep(0.05)
    jobs = {job["recording"]: job["id"] for job in scoring.get("/api/v1/status").json()["jobs"]}
    assert scoring.post(f"/api/v1/jobs/{jobs[short]}/cancel").json()["state"] == "cancelled"
    assert scoring.post(f"/api/v1/jobs/{jobs[long]}/cancel").status_code == 200
    assert wait_for_job(scoring, jobs[long])["state"] == "cancelled"
    assert wait_for(scoring, long)["status"] == "cancelled"
    assert wait_for(scoring, short)["status"] == "cancelled"


def test_what_was_running_is_taken_up_again(tmp_path):
    path = make_clip(tmp_path / "a.wav", Sound(voice(), codec="pcm_s16le"))
    app = make_bench(tmp_path / "bench")
    with TestClient(app, base_url=URL) as client:
        number = int(upload(client, path.read_bytes(), "a.wav").headers["imlcmm-recording"])
        with app.state.bench.sessions.begin() as session:  # as a server leaves it that is killed
            session.get(Recording, number).status = RUNNING
            session.query(Job).one().state = RUNNING
    with TestClient(make_bench(tmp_path / "bench", workers=1), base_url=URL) as client:
        assert wait_for(client, number)["status"] == "done"


def test_the_queue_joins_what_is_the_same_and_puts_corrections_first(app, client, add):
    first, second = add("a.mp4"), add("b.mp4")
    with app.state.bench.sessions.begin() as session:
        one = add_job(session, "score", recording=session.get(Recording, first))
        two = add_job(session, "score", recording=session.get(Recording, second), urgent=True)
        assert add_job(session, "score", recording=session.get(Recording, first), urgent=True).id == one.id
        assert one.is_urgent
        assert two.id != one.id
        first, second, again = (
            add_job(session, "evaluate", subject="data", runs=runs, split="valid")
            for runs in (["a"], ["a", "b"], ["a"])
        )
        assert first.id == again.id != second.id


def test_a_server_with_nothing_to_do_does_nothing(client):
    time.sleep(0.5)
    before = time.process_time()
    time.sleep(2.0)
    assert time.process_time() - before < 0.4
