"""Progress pictures on their way to the scheduler: the latest of each task, sent one after the other, never waited for.

A renderer asks whether a picture is due and leaves something that can make one; a thread of its own makes and sends it.
Whatever goes wrong costs the picture and nothing else.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from scheduler.protocol.work import TaskRef
from worker.answers import CallFailed
from worker.client import SchedulerClient
from worker.clock import Clock
from worker.settings import WorkerSettings
from worker.telemetry import logger

Make = Callable[[], bytes]

_log = logger("pictures")


class Easel:
    """Where one running task shows how far its picture is. Implements `runners.base.Picture`."""

    def __init__(self, board: PictureBoard, ref: TaskRef, secret: str, first_s: float) -> None:
        self.side_px = board.side_px
        self.ref, self.secret = ref, secret
        self._board, self._next_s = board, first_s

    def due(self) -> bool:
        """Whether the last picture is old enough; the first comes after one interval, so short tasks send none."""
        now_s = self._board.now_s()
        if now_s < self._next_s:
            return False
        self._next_s = now_s + self._board.every_s
        return True

    def show(self, make: Make) -> None:
        """Send what `make` makes, in another thread, unless something newer comes first."""
        self._board.hang(self, make)

    def close(self) -> None:
        """The task has ended: nothing more of it is sent."""
        self._board.take_down(self.ref)


class PictureBoard:
    """The pictures of one worker. `loop` is run by one thread."""

    def __init__(self, settings: WorkerSettings, client: SchedulerClient, clock: Clock) -> None:
        self.every_s = settings.picture_every_s or float("inf")
        self.side_px = settings.picture_px
        self._client, self._clock = client, clock
        self._changed = threading.Condition()
        self._waiting: dict[TaskRef, tuple[Easel, Make]] = {}
        self._closed = False

    def now_s(self) -> float:
        """Seconds of the worker's own clock."""
        return self._clock.monotonic()

    def easel(self, ref: TaskRef, secret: str) -> Easel:
        """The easel of a task that begins now."""
        return Easel(self, ref, secret, self.now_s() + self.every_s)

    def hang(self, easel: Easel, make: Make) -> None:
        """The latest of a task, in place of what has not been sent of it."""
        with self._changed:
            self._waiting[easel.ref] = (easel, make)
            self._changed.notify()

    def take_down(self, ref: TaskRef) -> None:
        """Forget what waits of a task."""
        with self._changed:
            self._waiting.pop(ref, None)

    def close(self) -> None:
        """End the loop."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def loop(self) -> None:
        """Make and send."""
        while (found := self._next()) is not None:
            easel, make = found
            try:
                self._client.put_picture(easel.ref, easel.secret, make())
            except CallFailed as error:
                _log.debug("picture_lost", task=easel.ref.task, attempt=easel.ref.attempt, reason=error.message)
            except Exception:  # noqa: BLE001 - a picture must never cost the worker
                _log.exception("picture_broken", task=easel.ref.task, attempt=easel.ref.attempt)

    def _next(self) -> tuple[Easel, Make] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting)
            return None if self._closed else self._waiting.pop(next(iter(self._waiting)))
