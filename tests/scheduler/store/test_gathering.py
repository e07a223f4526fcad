"""Callers that come back at once share commits; nobody else waits, and nobody waits for long."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from scheduler.errors import Unavailable
from scheduler.store.gathering import BACK_S, WAIT_MAX_S, Gathering
from scheduler.store.store import Store
from scheduler.store.transaction import Query

INSERT = Query("INSERT INTO meta (key, value) VALUES (?, ?)")


class Seconds:
    """A clock that moves only when told, or by `step_s` each time it is read."""

    def __init__(self) -> None:
        self.now_s, self.step_s = 0.0, 0.0

    def __call__(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def store(tmp_path, monkeypatch) -> Iterator[Store]:
    monkeypatch.setattr("scheduler.store.writer.QUICK_COMMIT_S", 60.0)  # a busy disk is no matter of these tests
    opened = Store(tmp_path)
    yield opened
    opened.close()


class Callers:
    """Callers of one gathering, on a clock of their own."""

    def __init__(self, store: Store) -> None:
        self.seconds = Seconds()
        self.gathering = Gathering(store.writer, self.seconds)
        self.writer = store.writer
        self.calls = 0

    def call(self, caller: str) -> asyncio.Future[int]:
        self.calls += 1
        key = f"{caller} {self.calls}"
        return self.gathering.submit(caller, lambda tx: tx.run(INSERT, (key, "v")))

    async def meet(self) -> None:
        """Both have called, and called again at once: from now on each is expected back."""
        for caller in ("a", "b", "a"):
            await self.call(caller)
        await asyncio.gather(self.call("b"), self.call("a"))


def test_a_caller_alone_never_waits(store):
    async def alone():
        callers = Callers(store)
        done = [callers.call("a").done() for _ in range(5)]
        return done, callers.writer.commits

    commits = store.writer.commits
    done, after = asyncio.run(alone())
    assert done == [True] * 5
    assert after - commits == 5


def test_callers_that_come_back_at_once_share_their_commits(store):
    async def together():
        callers = Callers(store)
        await callers.meet()
        commits = callers.writer.commits
        for _ in range(10):
            both = [callers.call("a"), callers.call("b")]
            assert await asyncio.gather(*both) == [1, 1]
        return callers.writer.commits - commits

    assert asyncio.run(together()) == 10


def test_nobody_waits_for_a_caller_that_takes_its_time(store):
    async def apart():
        callers = Callers(store)
        await callers.meet()
        callers.seconds.now_s += 2 * BACK_S
        return callers.call("a").done()

    assert asyncio.run(apart())


def test_the_wait_for_a_caller_that_stays_away_is_short(store):
    async def one_stays_away():
        callers = Callers(store)
        await callers.meet()
        callers.seconds.step_s = WAIT_MAX_S / 8
        started_s = callers.seconds.now_s
        assert await callers.call("a") == 1
        return callers.seconds.now_s - started_s

    assert asyncio.run(one_stays_away()) < 2 * WAIT_MAX_S


def test_one_that_fails_among_others_undoes_only_itself(store):
    def fails(tx):
        tx.run(INSERT, ("half", "v"))
        raise ValueError("no")

    async def together():
        callers = Callers(store)
        await callers.meet()
        both = [callers.gathering.submit("a", fails), callers.call("b")]
        return await asyncio.gather(*both, return_exceptions=True)

    failed, done = asyncio.run(together())
    assert isinstance(failed, ValueError) and done == 1


def test_whoever_waits_when_the_writer_closes_is_told(store):
    async def closing():
        callers = Callers(store)
        await callers.meet()
        callers.seconds.step_s = WAIT_MAX_S / 8
        waiter = callers.call("a")
        store.close()
        return await asyncio.gather(waiter, return_exceptions=True)

    (error,) = asyncio.run(closing())
    assert isinstance(error, Unavailable)
