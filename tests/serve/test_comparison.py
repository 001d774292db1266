"""Two sides of the library, computed by hand."""

import numpy as np
import pytest


def compare(client, **sides):
    return client.get("/api/v1/compare", params=sides)


def test_two_recordings_side_by_side(client, add):
    first = add("a.mp4", [(0, 1, "x", -0.6, 0.9, "conflict"), (30, 33, "y", 0.45, 0.9, "agreement")], duration=60.0)
    second = add("b.mp4", [(0, 10, "x", 0.8, 0.9, ""), (50, 60, "y", 0.0, 0.9, "")], duration=60.0)
    found = compare(client, a=f"recording:{first}", b=f"recording:{second}").json()
    a, b = found["a"], found["b"]
    assert a["mean"] == pytest.approx((-0.6 + 3 * 0.45) / 4)
    assert b["mean"] == pytest.approx(0.4)
    assert found["difference"] == pytest.approx(b["mean"] - a["mean"])
    assert a["shares"] == pytest.approx({"negative": 0.25, "neutral": 0.0, "positive": 0.75})
    assert b["shares"] == pytest.approx({"negative": 0.0, "neutral": 0.5, "positive": 0.5})
    assert a["over_time"] == pytest.approx([-0.6, None, None, None, None, 0.45, None, None, None, None])
    assert np.sum(a["histogram"]) == pytest.approx(1)
    assert (a["histogram"][2], a["histogram"][7]) == (0.5, 0.5)
    assert (a["conflicts"], b["conflicts"]) == (0.5, None)
    assert a["resampled"] == "utterances"
    low, high = a["interval"]
    assert -0.6 <= low <= a["mean"] <= high <= 0.45


def test_collections_are_resampled_by_recording(client, add):
    for i in range(6):
        add(f"{i}.mp4", [(0, 1, "x", 0.1 * i, 0.9, "")], collection="group")
    found = compare(client, a="collection:group").json()
    assert (found["a"]["recordings"], found["a"]["resampled"]) == (6, "recordings")
    assert found["b"] is None
    assert found["a"]["mean"] == pytest.approx(0.25)
    assert compare(client, a="all").json()["a"]["utterances"] == 6


def test_speakers_are_told_apart(client, add):
    number = add("a.mp4", [(0, 1, "x", -0.6, 0.9, ""), (1, 2, "y", 0.4, 0.9, ""), (2, 3, "z", 0.6, 0.9, "")])
    ids = [each["id"] for each in client.get(f"/api/v1/recordings/{number}").json()["utterance_list"]]
    for utterance, name in zip(ids, ["Ann", "Ben", "Ben"], strict=True):
        client.patch(f"/api/v1/utterances/{utterance}", json={"speaker": name})
    assert compare(client, a="all").json()["a"]["speakers"] == pytest.approx({"Ann": -0.6, "Ben": 0.5})
    for utterance, name in zip(ids, ["A", "unknown", "B"], strict=True):
        client.patch(f"/api/v1/utterances/{utterance}", json={"speaker": name})
    one = compare(client, a=f"recording:{number}").json()["a"]["speakers"]
    assert one == pytest.approx({"A of a.mp4": -0.6, "B of a.mp4": 0.6})
    add("b.mp4")
    assert compare(client, a="all").json()["a"]["speakers"] == {}


@pytest.mark.parametrize(
    ("side", "status"),
    [("nonsense", 422), ("recording:x", 422), ("recording:999", 404), ("collection:none", 409), ("all", 409)],
)
def test_sides_that_hold_nothing_get_a_line(client, side, status):
    assert compare(client, a=side).status_code == status


def test_other_scales_are_not_mixed(client, add):
    first, second = add("a.mp4"), add("b.mp4", low=-3.0, high=3.0)
    answer = compare(client, a=f"recording:{first}", b=f"recording:{second}")
    assert answer.status_code == 409
    assert "score both with one model" in answer.json()["error"]
