"""The library: lists, filters, files in ranges, exports, transcripts, deletion."""

import csv
import io

import pytest

from benches import upload
from imlcmm.serve.state.tables import RUNNING, Recording, SpokenUtterance

CONTENT = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 16


@pytest.fixture
def number(client):
    return int(upload(client, CONTENT, "clip.mp4").headers["imlcmm-recording"])


def names(client, **wanted):
    return [each["name"] for each in client.get("/api/v1/recordings", params=wanted).json()["recordings"]]


def test_the_newest_comes_first_with_its_mean_and_course(client, add):
    add("old.mp4", [(0, 2, "fine", 0.5, 0.9, "agreement"), (2, 3, "bad", -0.4, 0.6, "conflict")])
    add("new.mp4", [])
    page = client.get("/api/v1/recordings").json()
    assert [each["name"] for each in page["recordings"]] == ["new.mp4", "old.mp4"]
    old = page["recordings"][1]
    assert old["sentiment"] == pytest.approx((2 * 0.5 - 0.4) / 3)
    assert (old["utterances"], old["conflicts"]) == (2, 1)
    assert [point["sentiment"] for point in old["sparkline"]] == [0.5, -0.4]


def test_a_long_course_is_joined_to_few_points(client, add):
    add("long.mp4", [(i, i + 1, "w", (-1) ** i * 0.5, 0.9, "") for i in range(1000)])
    points = client.get("/api/v1/recordings").json()["recordings"][0]["sparkline"]
    assert len(points) <= 48
    assert points[-1]["end"] == 1000


def test_filters_find_words_conflicts_doubt_and_collections(client, add):
    add("a.mp4", [(0, 2, "这部电影 100% great_movie", 0.5, 0.9, "agreement")], collection="one")
    add("b.mp4", [(0, 2, "Nothing", -0.5, 0.55, "conflict")], collection="two")
    assert names(client, search="电影") == ["a.mp4"]
    assert names(client, search="NOTHING") == ["b.mp4"]
    assert names(client, search="a.mp4") == ["a.mp4"]
    assert names(client, search="100%") == ["a.mp4"]
    assert names(client, search="%") == ["a.mp4"], "a sign of the query language is a character here"
    assert names(client, search="great_movie 100") == ["a.mp4"], "all words must occur"
    assert names(client, search="' OR 1=1 --") == []
    assert names(client, conflict="true") == ["b.mp4"]
    assert names(client, unsure="0.6") == ["b.mp4"]
    assert names(client, collection="one") == ["a.mp4"]
    assert names(client, order="sentiment") == ["a.mp4", "b.mp4"]
    assert names(client, order="name", limit="1", offset="1") == ["b.mp4"]
    assert client.get("/api/v1/recordings").json()["collections"] == ["one", "two"]


@pytest.mark.parametrize("query", ["limit=0", "limit=9999", "order=; DROP TABLE", "unsure=2", "status=x", "offset=-1"])
def test_queries_that_make_no_sense_get_a_line(client, query):
    answer = client.get(f"/api/v1/recordings?{query}")
    assert answer.status_code == 422
    assert query.split("=")[0] in answer.json()["error"]


@pytest.mark.parametrize(
    ("asked", "status", "content", "told"),
    [
        ("bytes=0-9", 206, CONTENT[:10], f"bytes 0-9/{len(CONTENT)}"),
        ("bytes=100-", 206, CONTENT[100:], f"bytes 100-{len(CONTENT) - 1}/{len(CONTENT)}"),
        ("bytes=-7", 206, CONTENT[-7:], f"bytes {len(CONTENT) - 7}-{len(CONTENT) - 1}/{len(CONTENT)}"),
        ("bytes=0-999999", 206, CONTENT, f"bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}"),
        (f"bytes={len(CONTENT)}-", 416, None, f"bytes */{len(CONTENT)}"),
        ("bytes=9-3", 400, None, None),
        ("lines=0-1", 400, None, None),
    ],
)
def test_ranges_are_answered_right(client, number, asked, status, content, told):
    answer = client.get(f"/api/v1/recordings/{number}/media", headers={"Range": asked})
    assert answer.status_code == status
    assert answer.headers.get("content-range") == told
    if content is not None:
        assert answer.content == content


def test_several_ranges_come_in_parts(client, number):
    answer = client.get(f"/api/v1/recordings/{number}/media", headers={"Range": "bytes=0-3,10-13"})
    assert answer.status_code == 206
    assert answer.headers["content-type"].startswith("multipart/byteranges")
    assert CONTENT[:4] in answer.content
    assert CONTENT[10:14] in answer.content
    many = ",".join(f"{2 * i}-{2 * i}" for i in range(400))
    assert client.get(f"/api/v1/recordings/{number}/media", headers={"Range": f"bytes={many}"}).status_code == 200


def test_media_are_sent_as_what_they_are_and_nothing_else(client, number):
    headers = client.get(f"/api/v1/recordings/{number}/media").headers
    assert headers["content-type"] == "video/mp4"
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
    other = int(upload(client, b"RIFF" + CONTENT, "x.html").headers["imlcmm-recording"])
    assert client.get(f"/api/v1/recordings/{other}/media").headers["content-type"] == "application/octet-stream"
    assert client.get(f"/api/v1/recordings/{number}/preview").status_code == 404


@pytest.mark.parametrize("ending", ["json", "csv", "parquet", "srt", "vtt", "eaf", "png"])
def test_every_export_is_a_file_with_content(client, add, ending):
    if ending in ("parquet", "eaf"):
        pytest.importorskip({"parquet": "pyarrow", "eaf": "pympi"}[ending])
    number = add("a talk.mp4", [(0, 2, "good", 0.5, 0.9, "agreement"), (2, 4, "well", -0.5, 0.7, "conflict")])
    answer = client.get(f"/api/v1/recordings/{number}/export/{ending}")
    assert answer.status_code == 200
    assert f"a_talk.{ending}" in answer.headers["content-disposition"]
    assert len(answer.content) > 20
    if ending in ("json", "csv", "srt", "vtt", "eaf"):
        assert "good" in answer.text


def test_no_transcript_or_name_becomes_a_formula_or_a_script(client, add):
    evil = ["=cmd|' /C calc'!A0", "+1+1", "-2+3", "@SUM(1)", "<script>alert(1)</script>"]
    number = add("=HYPERLINK(1).mp4", [(i, i + 1, text, 0.1, 0.9, "") for i, text in enumerate(evil)])
    rows = list(csv.DictReader(io.StringIO(client.get(f"/api/v1/recordings/{number}/export/csv").text)))
    for row, text in zip(rows, evil, strict=True):
        assert row["transcript"].strip() == text
        assert not any(row[column].startswith(("=", "+", "@", "-2")) for column in ("transcript", "file"))
    page = client.get(f"/recordings/{number}").text
    assert "<script>alert" not in page
    renamed = client.patch(f"/api/v1/recordings/{number}", json={"name": "<img src=x onerror=alert(1)>.mp4"})
    assert renamed.status_code == 200
    assert "<img" not in client.get(f"/recordings/{number}").text
    eaf = client.get(f"/api/v1/recordings/{number}/export/eaf").text
    assert "<script>" not in eaf


def test_subtitles_cut_a_recording_anew(client, app, number):
    text = "1\n00:00:00,000 --> 00:00:02,000\nHello\n"
    place = f"/api/v1/recordings/{number}/transcript"
    assert client.put(f"{place}?name=x.srt", content=text).status_code == 200
    bench = app.state.bench
    with bench.sessions() as session:
        row = session.get(Recording, number)
        assert not row.is_cut
        assert (bench.workspace.recording(row.key) / "recording.srt").read_text() == text
    assert client.put(f"{place}?name=x.exe", content=text).status_code == 415
    assert client.put(f"{place}?name=x.srt", content=b"x" * (9 << 20)).status_code == 413
    broken = client.put(f"{place}?name=x.srt", content="1\nnonsense --> 9\nHi\n")
    assert broken.status_code == 400
    with bench.sessions() as session:
        assert (bench.workspace.recording(session.get(Recording, number).key) / "recording.srt").read_text() == text


def test_subtitles_never_drop_labels(client, add):
    number = add()
    utterance = client.get(f"/api/v1/recordings/{number}").json()["utterance_list"][0]["id"]
    client.put(f"/api/v1/utterances/{utterance}/labels", json={"rater": "A", "labels": {"multimodal": 0.4}})
    answer = client.put(f"/api/v1/recordings/{number}/transcript?name=x.txt", content="words")
    assert answer.status_code == 409
    assert "labels" in answer.json()["error"]


def test_a_deleted_recording_leaves_nothing(client, app, number):
    utterances = client.get(f"/api/v1/recordings/{number}").json()["utterance_list"]
    assert client.delete(f"/api/v1/recordings/{number}").status_code == 204
    assert client.get(f"/api/v1/recordings/{number}").status_code == 404
    assert client.get(f"/recordings/{number}").status_code == 404
    assert not list((app.state.bench.workspace.folder / "media").iterdir())
    assert client.get("/api/v1/status").json()["jobs"] == []
    assert utterances == []
    assert upload(client, CONTENT, "again.mp4").headers["imlcmm-duplicate"] == "false"


def test_scoring_again_keeps_cut_and_corrections(client, app, add):
    number = add(utterances=[(0, 2, "good", 0.5, 0.9, "")])
    assert client.post(f"/api/v1/recordings/{number}/score").json()["status"] == "waiting"
    with app.state.bench.sessions() as session:
        (row,) = session.query(SpokenUtterance)
        assert (row.transcript, row.is_stale) == ("good", True)
    jobs = client.get("/api/v1/jobs").json()
    client.post(f"/api/v1/recordings/{number}/score")
    assert len(client.get("/api/v1/jobs").json()) == len(jobs) == 1, "one that waits does for both"


def test_a_recording_that_is_being_scored_takes_no_subtitles(client, add):
    number = add(status=RUNNING)
    assert client.put(f"/api/v1/recordings/{number}/transcript?name=x.txt", content="words").status_code == 409
