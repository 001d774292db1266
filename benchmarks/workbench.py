"""The workbench under load: start-up, size of its pages, 50 uploads at once while 20 people read, on loopback alone.

python benchmarks/workbench.py
"""

import argparse
import asyncio
import base64
import re
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2 as httpx
import numpy as np
import psutil

PAUSE = 0.25
"""Seconds between two requests of a reader, who would take longer."""
PAGES = ("/", "/recordings/1", "/label", "/train", "/compare", "/api")
READ = ("/", "/api/v1/recordings", "/recordings/1", "/api/v1/recordings/1", "/api/v1/status", "/api/v1/jobs", "/label")


def main() -> int:
    """Measure, and print tables for benchmarks/README.md; give 1 if any request failed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--uploads", type=int, default=50)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=120.0, help="at most 120")
    parser.add_argument("--starts", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        starts = [start_time(Path(folder) / "start") for _ in range(options.starts)]
        print(f"From the command to the first answered page: {statistics.median(starts):.2f} s, median of "
              f"{options.starts} (slowest {max(starts):.2f} s).\n")  # fmt: skip
        with serving(Path(folder) / "bench") as (url, server):
            clips = [recording(Path(folder) / f"{i}.wav", i) for i in range(options.uploads)]
            load = Load(url, psutil.Process(server.pid))
            asyncio.run(load.run(clips, options.readers, min(options.seconds, 120.0)))
            load.show(options.uploads, options.readers)
            print("\n| page | kB with its style and scripts |\n|---|---|")
            for path, size in asyncio.run(page_sizes(url)).items():
                print(f"| {path} | {size / 1000:.1f} |")
    return 1 if load.failures else 0


@contextmanager
def serving(workspace: Path, *more: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run a server, and give its address and process."""
    words = [
        "-m",
        "imlcmm",
        "serve",
        "--workspace",
        str(workspace),
        "--port",
        "0",
        "--no-open",
        "--rate",
        "100000",
        *more,
    ]
    server = subprocess.Popen([sys.executable, *words], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        yield server.stdout.readline().split()[0].rstrip("/"), server
    finally:
        server.terminate()
        server.wait()


def start_time(workspace: Path) -> float:
    """Give the seconds from the command to the first page."""
    began = time.perf_counter()
    with serving(workspace) as (url, _):
        httpx.get(url).raise_for_status()
        return time.perf_counter() - began


async def page_sizes(url: str) -> dict[str, int]:
    """Give the bytes of each page with all that it loads, but media and answers of the API."""
    async with httpx.AsyncClient(base_url=url) as client:
        sizes = {}
        for path in PAGES:
            page = (await client.get(path)).raise_for_status().content
            waiting, seen = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.decode())), {}
            while waiting:
                name = waiting.pop()
                seen[name] = (await client.get(name)).content
                imported = re.findall(r'from "\./([^"]+)"', seen[name].decode())
                waiting |= {f"/static/{each}" for each in imported} - set(seen)
            sizes[path] = len(page) + sum(map(len, seen.values()))
        return sizes


def recording(path: Path, seed: int) -> Path:
    """Write three seconds of noise in syllables, unlike any other."""
    moments = np.arange(16_000 * 3) / 16_000
    noise = 0.2 * np.random.default_rng(seed).normal(size=moments.size) * np.sin(8 * np.pi * moments) ** 2
    with wave.open(str(path), "wb") as out:
        out.setparams((1, 2, 16_000, 0, "NONE", ""))
        out.writeframes((np.clip(noise, -1, 1) * 32767).astype("<i2").tobytes())
    return path


class Load:
    """What was asked, how long the answers took, and what the server's memory did."""

    def __init__(self, url: str, server: psutil.Process) -> None:
        """Take the server."""
        self.url, self.server = url, server
        self.latencies: dict[str, list[float]] = defaultdict(list)
        self.failures: list[str] = []
        self.memory: list[float] = []
        self.scored = 0

    async def run(self, clips: list[Path], readers: int, seconds: float) -> None:
        """Upload and read at once."""
        until = time.perf_counter() + seconds
        limits = httpx.Limits(max_connections=len(clips) + readers + 5)
        async with httpx.AsyncClient(base_url=self.url, timeout=60.0, limits=limits) as client:
            await asyncio.gather(
                *(self.upload(client, clip) for clip in clips),
                *(self.read(client, number, until) for number in range(readers)),
                self.watch(until),
            )
            counts = (await client.get("/api/v1/status")).json()["recordings"]
            self.scored = counts.get("done", 0)

    async def upload(self, client: httpx.AsyncClient, clip: Path) -> None:
        """Send a file in three pieces."""
        content = clip.read_bytes()
        name = base64.b64encode(clip.name.encode()).decode()
        headers = {"Upload-Length": str(len(content)), "Upload-Metadata": f"filename {name}"}
        place = (await self.timed(client, "uploads", "POST", "/api/v1/uploads", headers=headers)).headers["location"]
        for at in range(0, len(content), -(-len(content) // 3)):
            headers = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
            piece = content[at : at + -(-len(content) // 3)]
            answer = await self.timed(client, "uploads", "PATCH", place, headers=headers, content=piece)
        if "imlcmm-recording" not in answer.headers:
            self.failures.append(f"{clip.name} did not become a recording")

    async def read(self, client: httpx.AsyncClient, number: int, until: float) -> None:
        """Read page after page."""
        turn = number
        while time.perf_counter() < until:
            path = READ[turn % len(READ)]
            # The first recording may not be there yet.
            await self.timed(client, path, "GET", path, allowed=(404,) if path.endswith("/1") else ())
            turn += 1
            await asyncio.sleep(PAUSE)

    async def timed(
        self,
        client: httpx.AsyncClient,
        kind: str,
        method: str,
        path: str,
        allowed: tuple[int, ...] = (),
        **more: object,
    ) -> httpx.Response:
        """Ask, and keep how long it took."""
        began = time.perf_counter()
        answer = await client.request(method, path, **more)
        self.latencies[kind].append(time.perf_counter() - began)
        if not answer.is_success and answer.status_code not in allowed:
            self.failures.append(f"{method} {path}: {answer.status_code} {answer.text[:100]}")
        return answer

    async def watch(self, until: float) -> None:
        """Look at the server's memory every five seconds."""
        while time.perf_counter() < until:
            self.memory.append(self.server.memory_info().rss / 2**20)
            await asyncio.sleep(5)

    def show(self, uploads: int, readers: int) -> None:
        """Print the tables."""
        print(f"\n{uploads} uploads at once, {readers} readers with {PAUSE:g} s between requests, jobs running: "
              f"{self.scored} recordings scored meanwhile, {len(self.failures)} failures.\n")  # fmt: skip
        print("| request | count | median (ms) | p95 (ms) | slowest (ms) |\n|---|---|---|---|---|")
        for kind, times in sorted(self.latencies.items()):
            middle, late = np.percentile(times, [50, 95]) * 1000
            print(f"| {kind} | {len(times)} | {middle:.0f} | {late:.0f} | {max(times) * 1000:.0f} |")
        pages = [t for kind, times in self.latencies.items() if kind != "uploads" for t in times]
        print(
            f"| all pages | {len(pages)} | "
            + " | ".join(f"{1000 * v:.0f}" for v in (*np.percentile(pages, [50, 95]), max(pages)))
            + " |"
        )
        marks = [self.memory[round(share * (len(self.memory) - 1))] for share in (0, 0.25, 0.5, 0.75, 1)]
        print("\nMemory of the server from beginning to end (MiB): " + ", ".join(f"{mark:.0f}" for mark in marks))
        for failure in self.failures[:10]:
            print(failure)


if __name__ == "__main__":
    sys.exit(main())
