"""A client for a workbench, in Python: upload, wait, read, correct, export."""

import base64
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx2 as httpx

from imlcmm.errors import ImlcmmError
from imlcmm.files import replacing

_PIECE = 8 << 20
_PREFIX = "/api/v1"


class Client:
    """Speaks with a server that `imlcmm serve` started; close it, or use it in a `with` block."""

    def __init__(self, url: str = "http://127.0.0.1:8765", *, token: str | None = None, timeout: float = 60.0) -> None:
        """Name the server.

        Args:
            url: Where it is.
            token: Its token, if it is shared.
            timeout: Seconds that an answer may take.
        """
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout)

    def __enter__(self) -> "Client":
        """Give the client."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connection."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def call(self, path: str, method: str = "GET", **options: Any) -> Any:
        """Call the API, and give what it answers.

        Args:
            path: Such as /recordings/1.
            method: HTTP method.
            options: As httpx takes them: json, params, content.

        Raises:
            ImlcmmError: If the server refuses, with its reason, or does not answer.
        """
        answer = self._send(method, f"{_PREFIX}{path}", **options)
        return answer.json() if answer.content else None

    def upload(self, path: Path | str, *, collection: str = "") -> int:
        """Send a recording, and give its number; one that is there already is not kept twice.

        Raises:
            ImlcmmError: If the server refuses it, with its reason.
        """
        path = Path(path)
        told = {"filename": path.name, "collection": collection}
        metadata = ",".join(f"{n} {base64.b64encode(v.encode()).decode()}" for n, v in told.items() if v)
        headers = {"Upload-Length": str(path.stat().st_size), "Upload-Metadata": metadata}
        place = self._send("POST", f"{_PREFIX}/uploads", headers=headers).headers["Location"]
        with path.open("rb") as file:
            while True:
                offset = str(file.tell())
                headers = {"Upload-Offset": offset, "Content-Type": "application/offset+octet-stream"}
                answer = self._send("PATCH", place, headers=headers, content=file.read(_PIECE))
                if "Imlcmm-Recording" in answer.headers:
                    return int(answer.headers["Imlcmm-Recording"])

    def wait(self, number: int, *, timeout: float = 3600.0) -> dict[str, Any]:
        """Wait until a recording is scored, and give it.

        Raises:
            ImlcmmError: If it cannot be scored, with the reason, or it takes longer than `timeout` seconds.
        """
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            recording: dict[str, Any] = self.call(f"/recordings/{number}")
            if recording["status"] == "done":
                return recording
            if recording["status"] in ("failed", "cancelled"):
                raise ImlcmmError(f"recording {number} is not scored: {recording['failure'] or recording['status']}")
            time.sleep(0.5)
        raise ImlcmmError(f"recording {number} is not scored after {timeout:g} s; it goes on, ask again")

    def correct(self, utterance: int, **change: Any) -> dict[str, Any]:
        """Correct an utterance: `transcript`, `start`, `end` or `speaker`; it is scored again."""
        corrected: dict[str, Any] = self.call(f"/utterances/{utterance}", "PATCH", json=change)
        return corrected

    def export(self, number: int, format: str, path: Path | str) -> Path:
        """Write a recording's results to a file: json, csv, parquet, srt, vtt, eaf, or png for the picture."""
        path = Path(path)
        answer = self._send("GET", f"{_PREFIX}/recordings/{number}/export/{format}")
        with replacing(path) as beside:
            beside.write_bytes(answer.content)
        return path

    def _send(self, method: str, path: str, **options: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, path, **options)
        except httpx.HTTPError as error:
            raise ImlcmmError(f"{self._http.base_url} does not answer ({error}); is imlcmm serve running?") from error
        if answer.is_success:
            return answer
        try:
            reason = answer.json()["error"]
        except (ValueError, LookupError):
            reason = f"the server answered {answer.status_code}"
        raise ImlcmmError(str(reason))
