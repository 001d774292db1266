"""From labels to a model that scores the library, without a line of code."""

import time

import numpy as np
import pytest
from fastapi.testclient import TestClient

from benches import URL, make_bench, upload, wait_for, wait_for_job
from clips import Picture, Sound, make_clip
from imlcmm.datasets.loading import load_dataset

astronaut = pytest.importorskip("skimage.data").astronaut


WORDS = ["I love this", "I hate this"]


@pytest.fixture
def bench(tmp_path):
    with TestClient(make_bench(tmp_path / "bench", workers=1), base_url=URL) as client:
        yield client


def talk(folder):
    """Make a talk of twelve seconds, each a sentence."""
    draw = np.random.default_rng(0)
    moments = np.arange(16_000 * 12) / 16_000
    sound = (0.2 * draw.normal(size=moments.size) * np.sin(8 * np.pi * moments) ** 2).astype(np.float32)
    path = make_clip(folder / "talk.mp4", Picture(np.stack([astronaut()[::2, ::2]] * 60), rate=5), Sound(sound))
    said = (f"{i + 1}\n00:00:{i:02},000 --> 00:00:{i:02},950\n{WORDS[i % 2]} {i}\n\n" for i in range(12))
    return path.read_bytes(), "".join(said)


def ended(bench, answer):
    """Wait for the job that an answer names."""
    told = answer.json()
    return wait_for_job(bench, told.get("job", told.get("id")))


def test_from_labels_to_a_model_that_scores_the_library(bench, tmp_path, subtests):  # noqa: PLR0915
    """One way with stations, since each of them takes what the one before made."""
    content, subtitles = talk(tmp_path)
    number = int(upload(bench, content, "talk.mp4").headers["imlcmm-recording"])
    wait_for(bench, number)
    bench.put(f"/api/v1/recordings/{number}/transcript?name=talk.srt", content=subtitles)
    for i, utterance in enumerate(wait_for(bench, number)["utterance_list"]):
        labels = dict.fromkeys(("multimodal", "text", "audio", "vision"), 0.8 if i % 2 == 0 else -0.8)
        bench.put(f"/api/v1/utterances/{utterance['id']}/labels", json={"rater": "Ann", "labels": labels})
    job = ended(bench, bench.post("/api/v1/datasets", json={"name": "own", "source": "labels"}))
    assert job["state"] == "done", job["message"]

    with subtests.test("labels become a data set with excerpts and features"):
        workspace = bench.app.state.bench.workspace
        data = load_dataset(workspace.datasets / "own")
        assert {split: len(clips) for split, clips in data.splits.items()} == {"train": 8, "valid": 2, "test": 2}
        assert data.spec.present == ("text", "audio", "vision")
        excerpts = sorted(path.name for path in (workspace.folder / "labelled" / "own" / "Raw" / "talk").iterdir())
        assert (len(excerpts), excerpts[0]) == (12, "0001.mp4")
        assert "12 clips" in job["message"]

    run = {"name": "mine", "data": "own", "model": "LF_DNN", "seeds": 2, "epochs": 2}
    job = ended(bench, bench.post("/api/v1/runs", json=run))
    assert job["state"] == "done", job["message"]
    with subtests.test("a run has curves and scores"):
        (found,) = bench.get("/api/v1/runs").json()
        assert (found["state"], found["finished_seeds"]) == ("done", 2)
        assert "valid_mae" in found["scores"]
        seeds = bench.get("/api/v1/runs/mine/curves").json()["seeds"]
        assert [len(columns["train_loss"]) for columns in seeds.values()] == [2, 2]

    with subtests.test("runs are compared with intervals"):
        found = ended(bench, bench.post("/api/v1/runs/compare", json={"runs": ["mine"], "split": "valid"}))["found"]
        assert found["clips"] == 2
        assert "MAE" in found["scores"]["columns"]
        assert any(row[0] == "mine" for row in found["scores"]["rows"])

    with subtests.test("a run scores the library with all modalities, and labels stay"):
        assert ended(bench, bench.put("/api/v1/model", json={"run": "mine"}))["state"] == "done"
        assert bench.get("/api/v1/runs").json()[0]["scores_library"]
        found = wait_for(bench, number)
        assert found["model"] == "mine"
        assert [u["is_stale"] or u["sentiment"] is None for u in found["utterance_list"]] == [False] * 12
        assert "vision" not in found["utterance_list"][0]["missing"]
        assert "smile" in found["utterance_list"][0]["cues"]
        assert bench.delete("/api/v1/runs/mine").status_code == 409
        assert bench.get("/api/v1/labels/summary").json()["raters"] == {"Ann": 12}

    with subtests.test("a run on other features is refused, and nothing changes"):
        assert (
            ended(bench, bench.post("/api/v1/datasets", json={"name": "sim", "source": "simulated"}))["state"] == "done"
        )
        assert [each["simulated"] for each in bench.get("/api/v1/datasets").json()] == [False, True]
        other = {"name": "other", "data": "sim", "model": "LF_DNN", "epochs": 1}
        assert ended(bench, bench.post("/api/v1/runs", json=other))["state"] == "done"
        refused = ended(bench, bench.put("/api/v1/model", json={"run": "other"}))
        assert refused["state"] == "failed"
        assert "the model was trained on" in refused["message"]
        assert bench.get("/api/v1/status").json()["model"] == "mine"

    with subtests.test("a stopped run goes on"):
        new = {"name": "long", "data": "own", "model": "LF_DNN", "seeds": 1, "epochs": 400}
        job = bench.post("/api/v1/runs", json=new).json()["job"]
        done = until_epoch(bench, job, 1)
        bench.post(f"/api/v1/jobs/{job}/cancel")
        assert wait_for_job(bench, job)["state"] == "cancelled"
        again = bench.post("/api/v1/runs/long/resume").json()["job"]
        assert again != job
        until_epoch(bench, again, done + 1)
        bench.post(f"/api/v1/jobs/{again}/cancel")
        wait_for_job(bench, again)
        (columns,) = bench.get("/api/v1/runs/long/curves").json()["seeds"].values()
        assert columns["epoch"] == list(range(len(columns["epoch"])))


def until_epoch(bench, job, epochs):
    """Wait until a run has so many epochs, or ends; give how many it has."""
    while True:
        seeds = bench.get("/api/v1/runs/long/curves").json()["seeds"]
        done = len(next(iter(seeds.values()), {}).get("epoch", []))
        if done >= epochs or bench.get(f"/api/v1/jobs/{job}").json()["state"] not in ("waiting", "running"):
            return done
        time.sleep(0.3)
