"""Corrections, and that they cost the utterance that they are of alone."""

import pytest

from imlcmm.serve.state.tables import Job, SpokenUtterance

TWO = [(0, 2, "good morning all", 0.5, 0.9, ""), (3, 5, "bye", -0.5, 0.7, "")]


@pytest.fixture
def pair(client, add):
    number = add(utterances=TWO, duration=6.0)
    return [each["id"] for each in client.get(f"/api/v1/recordings/{number}").json()["utterance_list"]]


def test_a_corrected_transcript_makes_that_utterance_stale_and_urgent(client, app, pair):
    said = client.patch(f"/api/v1/utterances/{pair[0]}", json={"transcript": " good evening "}).json()
    assert (said["transcript"], said["is_stale"], said["is_corrected"], said["sentiment"]) == (
        "good evening", True, True, None,
    )  # fmt: skip
    with app.state.bench.sessions() as session:
        assert not session.get(SpokenUtterance, pair[1]).is_stale
        (job,) = session.query(Job)
        assert (job.kind, job.is_urgent) == ("score", True)


def test_a_speaker_costs_no_score(client, pair):
    said = client.patch(f"/api/v1/utterances/{pair[0]}", json={"speaker": "Ann"}).json()
    assert (said["speaker"], said["is_stale"], said["sentiment"]) == ("Ann", False, 0.5)
    assert client.get("/api/v1/jobs").json() == []


def test_the_same_words_cost_no_score(client, pair):
    assert not client.patch(f"/api/v1/utterances/{pair[0]}", json={"transcript": "good morning all"}).json()["is_stale"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"end": 3.5}, "lies over the utterance from 3.0 to 5.0 s"),
        ({"start": 2.0, "end": 2.05}, "lasts 0.1 s at least"),
        ({"start": 5.0, "end": 7.0}, "ends at 6.0 s"),
        ({"start": -1}, "start"),
        ({"start": "x"}, "start"),
        ({"nonsense": 1}, "nonsense"),
        ({"transcript": "x" * 20_001}, "transcript"),
    ],
)
def test_cuts_that_make_no_sense_are_refused(client, pair, change, words):
    answer = client.patch(f"/api/v1/utterances/{pair[0]}", json=change)
    assert answer.status_code == 422
    assert words in answer.json()["error"]


def test_numbers_that_are_none_are_refused(client, pair):
    answer = client.patch(
        f"/api/v1/utterances/{pair[0]}", content='{"end": NaN}', headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422


def test_a_cut_may_grow_into_the_pause(client, pair):
    said = client.patch(f"/api/v1/utterances/{pair[0]}", json={"end": 3.0}).json()
    assert (said["end"], said["is_stale"]) == (3.0, True)


def test_an_utterance_is_cut_in_two_by_its_words(client, pair):
    first, second = client.post(f"/api/v1/utterances/{pair[0]}/split", json={"at": 1.2}).json()
    assert (first["start"], first["end"], second["start"], second["end"]) == (0, 1.2, 1.2, 2)
    assert f"{first['transcript']} {second['transcript']}" == "good morning all"
    assert first["is_stale"]
    assert second["is_stale"]
    assert client.post(f"/api/v1/utterances/{pair[0]}/split", json={"at": 1.15}).status_code == 422


def test_neighbours_are_joined(client, pair):
    whole = client.post(f"/api/v1/utterances/{pair[0]}/merge").json()
    assert (whole["start"], whole["end"], whole["transcript"]) == (0, 5, "good morning all bye")
    assert client.post(f"/api/v1/utterances/{pair[0]}/merge").status_code == 409
    assert client.patch(f"/api/v1/utterances/{pair[1]}", json={"speaker": "x"}).status_code == 404
