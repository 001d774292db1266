"""Who is answered, and what each answer tells the browser."""

import re

import pytest
from fastapi.testclient import TestClient

from benches import URL, make_bench
from imlcmm.serve.bench import ServeOptions
from imlcmm.serve.guard.hosts import LOOPBACK
from imlcmm.serve.server import is_loopback

TOKEN = "a-token-of-some-length"


@pytest.fixture
def shared(tmp_path):
    app = make_bench(tmp_path / "bench", token=TOKEN, hosts=(*LOOPBACK, "bench.example"))
    with TestClient(app, base_url="http://bench.example:8765") as client:
        yield client


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "", "localhost.", "a b", "[::1"]
)
def test_other_names_are_refused(client, host):
    answer = client.get("/", headers={"Host": host})
    assert answer.status_code == 403
    assert "--allow_hosts" in answer.json()["error"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1:8765", "[::1]:8765", "[::1]"])
def test_names_of_this_machine_are_answered(client, host):
    assert client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_requests_from_other_sites_pages_are_refused(client, headers):
    assert client.post("/api/v1/jobs/1/cancel", headers=headers).status_code == 403


def test_requests_of_its_own_pages_are_answered(client):
    headers = {"Origin": URL, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/api/v1/jobs/1/cancel", headers=headers).status_code == 409


def test_every_answer_forbids_foreign_and_inline_scripts(client):
    for path in ("/", "/label", "/train", "/compare", "/api", "/static/app.css", "/api/v1/status", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/label", "/train", "/compare", "/api"):
        page = client.get(path).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert not re.search(r"\s(on\w+|style)=", page)
        assert not re.search(r"(src|href)=\"(https?:)?//", page)


def test_a_shared_server_asks_for_its_token(shared):
    assert shared.get("/api/v1/status").status_code == 401
    assert shared.get("/api/v1/status", headers={"Authorization": "Bearer wrong"}).status_code == 401
    assert shared.get("/api/v1/status", headers={"Authorization": f"Basic {TOKEN}"}).status_code == 401
    assert shared.get("/api/v1/status", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    answer = shared.get("/train", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login?to=/train")
    assert shared.get("/healthz").text == "ok\n"


def test_the_login_gives_a_cookie_that_other_sites_cannot_use(shared):
    assert shared.post("/login", data={"token": "wrong"}).status_code == 403
    answer = shared.post("/login", data={"token": TOKEN, "to": "/train"}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/train")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert TOKEN not in cookie
    assert shared.get("/api/v1/status").status_code == 200
    shared.cookies.set("imlcmm", "f" * 64, domain="bench.example")


@pytest.mark.parametrize(
    "to", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nX: y"]
)
def test_the_login_leads_nowhere_else(shared, to):
    answer = shared.post("/login", data={"token": TOKEN, "to": to}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_logins_cannot_be_tried_for_long(shared):
    codes = [shared.post("/login", data={"token": "guess"}).status_code for _ in range(12)]
    assert codes[-1] == 429


def test_a_damaged_cookie_is_no_token(shared):
    assert shared.get("/api/v1/status", headers={"Cookie": 'imlcmm="\\777; =;;'}).status_code == 401


def test_requests_are_limited_for_each_address(tmp_path):
    with TestClient(make_bench(tmp_path / "bench", options=ServeOptions(rate=5)), base_url=URL) as client:
        codes = [client.get("/healthz").status_code for _ in range(30)]
    assert 429 in codes


def test_large_bodies_are_refused(client):
    answer = client.put("/api/v1/model", content=b"x" * (2 << 20), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    endless = client.patch("/api/v1/recordings/1", content=(b"x" * 65536 for _ in range(40)))
    assert endless.status_code >= 400
    chunks = client.put("/api/v1/model", content=(b"x" * 65536 for _ in range(40)), headers={"Content-Length": "abc"})
    assert chunks.status_code in (400, 413)


@pytest.mark.parametrize(
    "path",
    [
        "/static/../pages.py",
        "/static/%2e%2e/pages.py",
        "/static//etc/passwd",
        "/static/..%5cpages.py",
        "/static/x%00.js",
    ],
)
def test_no_path_leads_out_of_the_static_files(client, path):
    assert client.get(path).status_code in (400, 404)


def test_errors_are_one_line_of_json(client):
    for path, status in (("/api/v1/recordings/999", 404), ("/api/v1/recordings/x", 422), ("/api/v1/nothing", 404)):
        answer = client.get(path)
        assert answer.status_code == status
        assert "\n" not in answer.json()["error"]


@pytest.mark.parametrize(
    ("host", "own"),
    [
        ("127.0.0.1", True),
        ("localhost", True),
        ("::1", True),
        ("127.8.8.8", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("bench.example", False),
    ],
)
def test_which_addresses_only_this_machine_reaches(host, own):
    assert is_loopback(host) is own
