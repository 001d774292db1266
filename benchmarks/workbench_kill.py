"""Kill the workbench's server at random moments of uploading and scoring, start it again, and look for what is lost.

python benchmarks/workbench_kill.py --kills 20
"""

import argparse
import base64
import hashlib
import os
import random
import signal
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx2 as httpx
from workbench import recording, serving

from imlcmm.serve.state.workspace import Workspace

PIECE = 8192


def main() -> int:
    """Kill, restart and check; print a table, and give 1 if anything was lost."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--recordings", type=int, default=70)
    parser.add_argument("--seed", type=int, default=0, help="seed of the moments")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace(Path(folder) / "bench")
        feeder = Feeder([recording(Path(folder) / f"{i}.wav", i) for i in range(options.recordings)])
        threading.Thread(target=feeder.run, daemon=True).start()
        print("| kill | after (s) | uploads done | of the last, bytes | scored | database | files |")
        print("|---|---|---|---|---|---|---|")
        intact = True
        for number in range(1, options.kills + 1):
            with serving(workspace.folder) as (url, server):
                feeder.url = url
                delay = moments.uniform(0.1, 14.0)
                time.sleep(delay)
                feeder.url = ""
                os.kill(server.pid, signal.SIGKILL)
                server.wait()
            found = check(workspace)
            intact = intact and found["database"] == "ok" and not found["lost"]
            files = f"lost: {', '.join(found['lost'])}" if found["lost"] else "all there"
            cells = (number, f"{delay:.1f}", len(feeder.sent), feeder.at, found["scored"], found["database"], files)
            print("| " + " | ".join(map(str, cells)) + " |", flush=True)
        with serving(workspace.folder) as (url, _):
            feeder.url = url
            intact = finish(url, feeder, options.recordings) and intact
    return 0 if intact else 1


class Feeder:
    """Uploads recordings in small pieces to whatever server is there, and goes on where the last one stopped."""

    def __init__(self, clips: list[Path]) -> None:
        """Take the files."""
        self.clips, self.url = clips, ""
        self.sent: list[Path] = []
        self.place, self.at = "", 0

    def run(self) -> None:
        """Send all."""
        for clip in self.clips:
            self.place = ""
            while len(self.sent) <= self.clips.index(clip):
                try:
                    self.send(clip)
                except (httpx.HTTPError, KeyError):  # the server is gone, or goes
                    time.sleep(0.1)
            time.sleep(1.5)

    def send(self, clip: Path) -> None:
        """Send a file, or the rest of it."""
        content = clip.read_bytes()
        with httpx.Client(base_url=self.url or "http://127.0.0.1:1", timeout=10.0) as client:
            if not self.place:
                name = base64.b64encode(clip.name.encode()).decode()
                headers = {"Upload-Length": str(len(content)), "Upload-Metadata": f"filename {name}"}
                self.place = client.post("/api/v1/uploads", headers=headers).headers["location"]
            told = client.head(self.place)
            complete = told.status_code == 404  # though its answer was lost
            self.at = len(content) if complete else int(told.headers["upload-offset"])
            while not complete:
                headers = {"Upload-Offset": str(self.at), "Content-Type": "application/offset+octet-stream"}
                answer = client.patch(self.place, headers=headers, content=content[self.at : self.at + PIECE])
                self.at = int(answer.headers["upload-offset"])
                complete = "imlcmm-recording" in answer.headers
                time.sleep(0.02)
            self.sent.append(clip)


def check(workspace: Workspace) -> dict:
    """Look at the database and the files while no server runs."""
    with sqlite3.connect(workspace.database) as connection:
        database = connection.execute("PRAGMA integrity_check").fetchone()[0]
        rows = connection.execute("SELECT key, suffix, sha256, status FROM recordings").fetchall()
    lost = [key for key, suffix, digest, _ in rows if digest_of(workspace.media(key, suffix)) != digest]
    return {"database": database, "lost": lost, "scored": sum(row[3] == "done" for row in rows)}


def digest_of(path: Path) -> str:
    """Give a file's SHA-256; nothing where there is none."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def finish(url: str, feeder: Feeder, recordings: int) -> bool:
    """Let everything be scored, and compare the files with what was sent."""
    until = time.monotonic() + 600
    with httpx.Client(base_url=url, timeout=10.0) as client:
        while time.monotonic() < until:
            counts = client.get("/api/v1/status").json()["recordings"]
            if counts == {"done": recordings}:
                break
            time.sleep(1)
        listed = client.get("/api/v1/recordings", params={"limit": 200}).json()["recordings"]
        kept = {client.get(f"/api/v1/recordings/{each['id']}/media").content for each in listed}
    whole = kept == {clip.read_bytes() for clip in feeder.clips}
    print(f"\nIn the end: {counts}; the files are {'those that were sent' if whole else 'NOT those that were sent'}.")
    return whole and counts == {"done": recordings}


if __name__ == "__main__":
    sys.exit(main())
