"""What happens, told to every page that is open."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

_MOST, _END = 500, "end"


class Hub:
    """Passes events on, from any thread, to all who listen; one who cannot keep up is told to load anew."""

    def __init__(self) -> None:
        """Begin with nobody listening."""
        self._queues: set[asyncio.Queue[dict[str, Any]]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    def attach(self) -> None:
        """Take the running loop as the one in which listeners live."""
        self._loop = asyncio.get_running_loop()

    def publish(self, event: str, **content: Any) -> None:
        """Tell all who listen; before the server runs, nobody does."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._hand_out, {"event": event, **content})

    def close(self) -> None:
        """Let all listeners come to their end, which a server does before it stops."""
        self.publish(_END)

    async def listen(self) -> AsyncIterator[dict[str, Any]]:
        """Give the events from now on, until the server stops."""
        queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue(_MOST)
        self._queues.add(queue)
        try:
            while (event := await queue.get())["event"] != _END:
                yield event
        finally:
            self._queues.discard(queue)

    def _hand_out(self, event: dict[str, Any]) -> None:
        for queue in self._queues:
            if queue.full():
                while not queue.empty():
                    queue.get_nowait()
                event = {"event": "reload"}
            queue.put_nowait(event)
