"""Pictures leave when they are due, the latest of each task, and whatever goes wrong costs nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from scheduler.protocol.work import TaskRef
from worker.answers import StaleAttempt, Unreachable
from worker.clock import ManualClock
from worker.pictures import PictureBoard
from worker.settings import WorkerSettings

REF, OTHER = TaskRef(1, 1), TaskRef(2, 1)


class Client:
    """Takes pictures, slowly if asked to, or fails."""

    def __init__(self) -> None:
        self.sent: list[tuple[TaskRef, str, bytes]] = []
        self.errors: list[Exception] = []
        self.gate, self.entered, self.took = threading.Event(), threading.Event(), threading.Semaphore(0)
        self.gate.set()

    def put_picture(self, ref: TaskRef, secret: str, data: bytes) -> None:
        """As `SchedulerClient`."""
        self.entered.set()
        assert self.gate.wait(10)
        try:
            if self.errors:
                raise self.errors.pop()
            self.sent.append((ref, secret, data))
        finally:
            self.took.release()


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def board(client: Client, clock: ManualClock) -> Iterator[PictureBoard]:
    board = new_board(client, clock)
    thread = threading.Thread(target=board.loop)
    thread.start()
    yield board
    client.gate.set()
    board.close()
    thread.join(10)
    assert not thread.is_alive()


def new_board(client: Any, clock: ManualClock, **settings: Any) -> PictureBoard:
    return PictureBoard(WorkerSettings(server="http://s", **settings), client, clock)


def wait(client: Client, count: int) -> None:
    for _one in range(count):
        assert client.took.acquire(timeout=10)


def test_the_first_is_due_after_an_interval_and_then_one_each(board: PictureBoard, clock: ManualClock) -> None:
    easel, due = board.easel(REF, "s"), []
    for _second in range(16):
        due.append(easel.due())
        clock.advance(1)

    assert [second for second, yes in enumerate(due) if yes] == [5, 10, 15]


def test_none_is_ever_due_where_nobody_wants_any(client: Client, clock: ManualClock) -> None:
    easel = new_board(client, clock, picture_every_s=0).easel(REF, "s")
    clock.advance(10**9)

    assert not easel.due()


def test_while_one_travels_only_the_latest_waits(board: PictureBoard, client: Client) -> None:
    easel, other = board.easel(REF, "s"), board.easel(OTHER, "t")
    client.gate.clear()
    easel.show(lambda: b"0")
    assert client.entered.wait(10)
    for number in range(1, 5):
        easel.show(lambda number=number: b"%d" % number)
    other.show(lambda: b"other")
    client.gate.set()
    wait(client, 3)

    assert client.sent == [(REF, "s", b"0"), (REF, "s", b"4"), (OTHER, "t", b"other")]


def test_what_ended_is_not_sent(board: PictureBoard, client: Client) -> None:
    easel, other = board.easel(REF, "s"), board.easel(OTHER, "t")
    client.gate.clear()
    other.show(lambda: b"0")
    assert client.entered.wait(10)
    easel.show(lambda: b"late")
    easel.close()
    other.show(lambda: b"1")
    client.gate.set()
    wait(client, 2)

    assert [data for _ref, _secret, data in client.sent] == [b"0", b"1"]


@pytest.mark.parametrize("error", [StaleAttempt("stale"), Unreachable("away"), ValueError("a bug")])
def test_a_failure_costs_one_picture(board: PictureBoard, client: Client, error: Exception) -> None:
    client.errors.append(error)
    easel = board.easel(REF, "s")
    easel.show(lambda: b"lost")
    wait(client, 1)
    easel.show(lambda: b"next")
    wait(client, 1)

    assert [data for _ref, _secret, data in client.sent] == [b"next"]


def test_a_picture_that_cannot_be_made_costs_nothing(board: PictureBoard, client: Client) -> None:
    def broken() -> bytes:
        raise MemoryError

    board.easel(OTHER, "t").show(broken)
    board.easel(REF, "s").show(lambda: b"next")
    wait(client, 1)

    assert [data for _ref, _secret, data in client.sent] == [b"next"]
