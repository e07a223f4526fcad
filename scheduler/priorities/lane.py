"""A thread of its own for one thing that waits for a network: always the same one, and never in the way of the end.

The client of the tracker belongs to one thread. A daemon thread, because an executor's threads are waited for when the
process ends, however long a socket hangs.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

Result = TypeVar("Result")


class Lane:
    """Runs functions one after the other in its own daemon thread."""

    def __init__(self, name: str) -> None:
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._serve, name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[], Result]) -> Result:
        """Run a function in the thread and await its result."""
        future: Future[Result] = Future()
        self._queue.put((function, future))
        return await asyncio.wrap_future(future)

    def close(self, wait_s: float = 0.0) -> bool:
        """Take nothing new; wait for what runs, but no longer than `wait_s`. True if the thread has ended."""
        self._queue.put(None)
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def _serve(self) -> None:
        while (item := self._queue.get()) is not None:
            function, future = item
            if not future.set_running_or_notify_cancel():
                continue
            try:
                future.set_result(function())
            except BaseException as error:  # noqa: BLE001  the answer to whoever waits
                future.set_exception(error)
