"""Files on their way in: pieces, resuming, doubles, what is refused, and names that want to be paths."""

import errno
import io
import os

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benches import URL, announce, make_bench, metadata, send, upload
from imlcmm.serve.arrivals import shown_name
from imlcmm.serve.bench import ServeOptions
from imlcmm.serve.state.workspace import stored_suffix

MEDIA = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40


def files_below(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_a_file_arrives_in_pieces_and_becomes_a_recording(client, app):
    place = announce(client, MEDIA, "talk.mp4", collection="Interviews").headers["location"]
    assert send(client, place, MEDIA[:1000]).headers["upload-offset"] == "1000"
    told = client.head(place).headers
    assert (told["upload-offset"], told["upload-length"]) == ("1000", str(len(MEDIA)))
    answer = send(client, place, MEDIA[1000:], 1000)
    assert answer.status_code == 204
    number = answer.headers["imlcmm-recording"]
    found = client.get(f"/api/v1/recordings/{number}").json()
    assert (found["name"], found["collection"], found["status"]) == ("talk.mp4", "Interviews", "waiting")
    assert client.get(f"/api/v1/recordings/{number}/media").content == MEDIA
    assert client.head(place).status_code == 404
    assert not list((app.state.bench.workspace.folder / "uploads").iterdir())


def test_a_wrong_offset_is_told_where_to_go_on(client):
    place = announce(client, MEDIA).headers["location"]
    send(client, place, MEDIA[:500])
    answer = send(client, place, MEDIA[:500])
    assert answer.status_code == 409
    assert answer.json()["error"] == "500 bytes are there, not 0; go on there"


def test_what_is_there_already_is_not_kept_twice(client, app):
    first = upload(client, MEDIA, "one.mp4").headers
    second = upload(client, MEDIA, "two.mp4").headers
    assert first["imlcmm-duplicate"] == "false"
    assert second["imlcmm-duplicate"] == "true"
    assert first["imlcmm-recording"] == second["imlcmm-recording"]
    assert len(list((app.state.bench.workspace.folder / "media").iterdir())) == 1


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!doctype html><script>alert(1)</script>", "is a web page"),
        (b"PK\x03\x04" + b"\0" * 60, "is a zip archive"),
        (b"%PDF-1.7 x", "is a PDF document"),
        (b"\0" * 4096, "is nothing but zero bytes"),
        (b'<?xml version="1.0"?><svg onload="alert(1)"/>', "is an XML document"),
    ],
)
def test_what_is_no_media_by_its_first_bytes_is_refused(client, app, content, words):
    answer = upload(client, content, "clip.mp4")
    assert answer.status_code == 415
    assert words in answer.json()["error"]
    assert not list((app.state.bench.workspace.folder / "media").iterdir())
    assert not list((app.state.bench.workspace.folder / "uploads").iterdir())


@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        ({"Upload-Length": "0"}, 422, "is empty (0 bytes)"),
        ({"Upload-Length": "-5"}, 422, "is empty"),
        ({"Upload-Length": "x"}, 422, "upload-length"),
        ({}, 422, "upload-length"),
        ({"Upload-Length": "9" * 20}, 413, "up to 8 GB are taken"),
        ({"Upload-Length": "5", "Upload-Metadata": "filename ###"}, 422, "not in base64"),
        ({"Upload-Length": "5", "Tus-Resumable": "0.2"}, 412, "tus 1.0.0"),
    ],
)
def test_announcements_that_make_no_sense_get_a_line(client, headers, status, words):
    answer = client.post("/api/v1/uploads", headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]


def test_a_piece_beyond_the_end_is_refused(client):
    place = announce(client, MEDIA).headers["location"]
    answer = send(client, place, MEDIA + b"more")
    assert answer.status_code == 413


def test_a_piece_must_say_what_it_is(client):
    place = announce(client, MEDIA).headers["location"]
    assert client.patch(place, headers={"Upload-Offset": "0"}, content=MEDIA).status_code == 415


def test_an_upload_that_is_given_up_leaves_nothing(client, app):
    place = announce(client, MEDIA).headers["location"]
    send(client, place, MEDIA[:100])
    assert client.delete(place).status_code == 204
    assert client.head(place).status_code == 404
    assert not list((app.state.bench.workspace.folder / "uploads").iterdir())


def test_the_server_tells_what_it_can(client):
    told = client.options("/api/v1/uploads").headers
    assert told["tus-version"] == "1.0.0"
    assert "creation" in told["tus-extension"]
    assert told["tus-max-size"] == str(8 * 10**9)


def test_the_number_of_recordings_is_limited(tmp_path):
    app = make_bench(tmp_path / "bench", options=ServeOptions(most_recordings=1))
    with TestClient(app, base_url=URL) as client:
        assert upload(client, MEDIA).status_code == 204
        answer = announce(client, MEDIA)
        assert answer.status_code == 409
        assert "holds 1 recordings, which is its limit" in answer.json()["error"]


def test_a_full_disk_keeps_what_is_there_and_says_so(client, app, monkeypatch):
    place = announce(client, MEDIA).headers["location"]
    send(client, place, MEDIA[:2000])
    whole = io.open

    def full(path, mode="r", *arguments, **options):
        if mode == "ab":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return whole(path, mode, *arguments, **options)

    monkeypatch.setattr(io, "open", full)
    answer = send(client, place, MEDIA[2000:], 2000)
    monkeypatch.undo()
    assert answer.status_code == 507
    assert answer.json()["error"].startswith("the disk is full")
    assert client.head(place).headers["upload-offset"] == "2000"
    assert send(client, place, MEDIA[2000:], 2000).headers["imlcmm-recording"]


def test_a_file_that_no_disk_has_room_for_is_refused_before_it_comes(client, monkeypatch):
    monkeypatch.setattr(
        "imlcmm.files.shutil.disk_usage", lambda _: os.statvfs_result and type("U", (), {"free": 1000})()
    )
    answer = announce(client, MEDIA)
    assert answer.status_code == 400
    assert "free some space" in answer.json()["error"]


def test_a_stop_between_the_move_and_the_entry_loses_nothing(tmp_path):
    app = make_bench(tmp_path / "bench")
    with TestClient(app, base_url=URL) as client:
        place = announce(client, MEDIA, "kept.mp4").headers["location"]
        key = place.rpartition("/")[2]
    workspace = app.state.bench.workspace
    home = workspace.media(key, ".mp4")
    home.parent.mkdir()
    workspace.arriving(key).unlink()
    home.write_bytes(MEDIA)
    stray = workspace.recording("f" * 32)
    stray.mkdir()
    with TestClient(make_bench(tmp_path / "bench"), base_url=URL) as client:
        found = client.get("/api/v1/recordings").json()["recordings"]
        assert [each["name"] for each in found] == ["kept.mp4"]
        assert client.get(f"/api/v1/recordings/{found[0]['id']}/media").content == MEDIA
    assert not stray.exists()


def test_an_upload_goes_on_after_a_restart(tmp_path):
    with TestClient(make_bench(tmp_path / "bench"), base_url=URL) as client:
        place = announce(client, MEDIA).headers["location"]
        send(client, place, MEDIA[:3000])
    with TestClient(make_bench(tmp_path / "bench"), base_url=URL) as client:
        assert client.head(place).headers["upload-offset"] == "3000"
        assert send(client, place, MEDIA[3000:], 3000).headers["imlcmm-recording"]


HOSTILE = [
    "../../etc/passwd", "..\\..\\windows\\system32\\x.mp4", "/etc/shadow", "C:\\boot.ini", "a\0b.mp4", "CON", "nul.mp4",
    "aux.mp4:stream", ".", "..", "", " ", "x" * 5000 + ".mp4", "<script>alert(1)</script>.mp4", "💥.mp4", "a/b/c.mp4",
    "\u202e4pm.exe", "%2e%2e%2fx.mp4", "~root", "|rm -rf", "\n\r.mp4",
]  # fmt: skip


@given(name=st.one_of(st.sampled_from(HOSTILE), st.text(max_size=300)))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_name_leads_out_of_the_workspace(client, app, name):
    folder = app.state.bench.workspace.folder
    before = files_below(folder.parent)
    content = MEDIA + name.encode("utf-8", "replace")
    answer = client.post(
        "/api/v1/uploads",
        headers={"Upload-Length": str(len(content)), "Upload-Metadata": metadata(filename=name)[:4000]},
    )
    if answer.status_code != 201:
        assert answer.json()["error"]
        return
    number = send(client, answer.headers["location"], content).headers["imlcmm-recording"]
    new = files_below(folder.parent) - before
    assert all(path.startswith(("bench/media/", "bench/workbench.db")) for path in new)
    kept = client.get(f"/api/v1/recordings/{number}").json()["name"]
    assert kept
    assert not set(kept) & set("\0\n\r\t/\\")
    assert client.get(f"/api/v1/recordings/{number}/export/json").status_code == 200


@given(name=st.text(max_size=300))
def test_shown_names_are_short_single_parts(name):
    shown = shown_name(name)
    assert 0 < len(shown) <= 220
    assert not set(shown) & set("/\\\0\n")
    assert "/" not in stored_suffix(name)


@pytest.mark.parametrize("key", ["..", "../workbench.db", "%2e%2e%2fworkbench.db", "x" * 500, "a%00b"])
def test_no_key_leads_out_of_the_uploads(client, key):
    assert client.head(f"/api/v1/uploads/{key}").status_code in (404, 405)
