"""Quick changes of callers that come back at once share a commit.

A worker with tasks of a millisecond calls again as soon as it is answered. If several do, each of them alone would pay
for a commit while the others' next calls are on their way; so the first to be back waits for the rest, for a fraction
of what a commit takes, and one commit serves them all (as PostgreSQL's `commit_delay` does). Callers that take their
time, as every worker that really renders, never wait and are never waited for.

It owns whom to wait for and how long; running and answering changes is the writer's.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from scheduler.store.transaction import Transaction
from scheduler.store.writer import Change, Writer

Result = TypeVar("Result")

BACK_S = 0.002
"""A caller that is back sooner than this after its answer is a brisk one."""

WAIT_MAX_S = 0.0003
"""How long a change may wait for brisk callers that are expected back."""


class Gathering:
    """The brisk callers of one event loop, and the changes that wait for them."""

    def __init__(self, writer: Writer, seconds: Callable[[], float] = time.perf_counter) -> None:
        self._writer, self._seconds = writer, seconds
        self._answered: dict[str, float] = {}  # callers answered within BACK_S and not back yet, the oldest first
        self._brisk: set[str] = set()
        self._waiting: list[tuple[str, Change]] = []
        self._since_s = 0.0

    def submit(self, caller: str, function: Callable[[Transaction], Result]) -> asyncio.Future[Result]:
        """Run a quick change of this caller: now, or together with those of callers that will be here at once."""
        now_s = self._seconds()
        self._forget(now_s)
        if self._answered.pop(caller, None) is None:
            self._brisk.discard(caller)
        else:
            self._brisk.add(caller)
        if not self._waiting and not self._someone_is_expected():
            waiter = self._writer.submit_quick(function)
            self._answered[caller] = self._seconds()
            return waiter
        loop = asyncio.get_running_loop()
        change = Change(function)
        waiter = change.expect_answer(loop)
        if not self._waiting:
            self._since_s = now_s
            loop.call_soon(self._turn)
        self._waiting.append((caller, change))
        return waiter

    def _turn(self) -> None:
        """One turn of the loop later: go, or look again after the next one."""
        now_s = self._seconds()
        self._forget(now_s)
        if now_s - self._since_s < WAIT_MAX_S and self._someone_is_expected():
            asyncio.get_running_loop().call_soon(self._turn)
            return
        waiting, self._waiting = self._waiting, []
        self._writer.run_together([change for _, change in waiting])
        answered_s = self._seconds()
        for caller, _ in waiting:
            self._answered.pop(caller, None)
            self._answered[caller] = answered_s

    def _someone_is_expected(self) -> bool:
        return any(caller in self._brisk for caller in self._answered)

    def _forget(self, now_s: float) -> None:
        """Whoever has been away for longer takes its time."""
        for caller, at_s in list(self._answered.items()):
            if now_s - at_s < BACK_S:
                return
            del self._answered[caller]
            self._brisk.discard(caller)
