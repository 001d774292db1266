"""What the tests of the workbench share: an application, and what clients do with it."""

import base64
import time

from imlcmm.features.extractor_options import ExtractorOptions
from imlcmm.jobs.workers import Limits
from imlcmm.serve.app import make_app
from imlcmm.serve.bench import ServeOptions
from imlcmm.serve.guard.hosts import LOOPBACK
from imlcmm.serve.state.workspace import Workspace

URL = "http://127.0.0.1:8765"


def make_bench(folder, *, workers=0, token=None, options=None, hosts=LOOPBACK):
    """Make the application of a workspace; without workers, scoring waits for ever."""
    return make_app(
        Workspace(folder), extractor=ExtractorOptions(frame_rate=5.0), options=options or ServeOptions(rate=100_000),
        limits=Limits(120.0, 6.0), workers=workers, token=token, hosts=hosts,
    )  # fmt: skip


def metadata(**told):
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in told.items())


def announce(client, content, name="clip.mp4", **told):
    headers = {"Upload-Length": str(len(content)), "Upload-Metadata": metadata(filename=name, **told)}
    return client.post("/api/v1/uploads", headers=headers)


def send(client, place, content, at=0):
    headers = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
    return client.patch(place, headers=headers, content=content)


def upload(client, content, name="clip.mp4", **told):
    """Send a file in one piece, and give the last answer."""
    answer = announce(client, content, name, **told)
    return answer if answer.status_code != 201 else send(client, answer.headers["location"], content)


def wait_for(client, number, *, seconds=90):
    """Wait until a recording is no longer waiting or running."""
    return _settled(client, f"/api/v1/recordings/{number}", "status", seconds)


def wait_for_job(client, number, *, seconds=120):
    """Wait until a job has ended."""
    return _settled(client, f"/api/v1/jobs/{number}", "state", seconds)


def _settled(client, path, name, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = client.get(path).json()
        if found[name] not in ("waiting", "running"):
            return found
        time.sleep(0.3)
    raise AssertionError(f"still {found[name]}")
