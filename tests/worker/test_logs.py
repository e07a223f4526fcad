"""A task's log: bytes never move once sent, the middle may go, the end never does."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.protocol.work import TaskRef
from worker.answers import Refused, StaleAttempt, Unreachable
from worker.client import SchedulerClient
from worker.logs import LogLimits, LogShipper, LogStream

REF = TaskRef(1, 1)
LIMITS = LogLimits(line=200, buffer=4096, total=20_000)


class Server:
    """Keeps logs as the scheduler does: bytes that it has already are ignored, holes are refused."""

    def __init__(self) -> None:
        self.logs: dict[TaskRef, bytearray] = {}
        self.calls = 0
        self.error: Exception | None = None
        self.lose_replies = 0

    def append_log(self, ref: TaskRef, secret: str, offset: int, data: bytes) -> None:
        assert secret == "s"
        self.calls += 1
        if self.error is not None:
            raise self.error
        text = self.logs.setdefault(ref, bytearray())
        assert offset <= len(text), "a hole"
        assert bytes(text[offset : offset + len(data)]) == data[: len(text) - offset], "bytes have moved"
        text += data[len(text) - offset :]
        if self.lose_replies:
            self.lose_replies -= 1
            raise Unreachable("the answer was lost")


def shipper(server: Server, limits: LogLimits = LIMITS) -> LogShipper:
    return LogShipper(cast(SchedulerClient, server), limits)


def test_lines_arrive_in_order_and_long_ones_are_cut() -> None:
    server = Server()
    logs = shipper(server)
    logs.open(REF, "s").write("first\nsecond")
    logs.open(REF, "s").write("x" * 1000)
    logs.ship()
    text = server.logs[REF].decode()
    assert text.startswith("first\nsecond\nxxx") and text.endswith(" … 800 bytes cut\n")
    logs.ship()
    assert server.calls == 1, "silence costs nothing"


def test_an_outage_drops_the_middle_and_never_the_end() -> None:
    server = Server()
    logs = shipper(server)
    stream = logs.open(REF, "s")
    stream.write("begin")
    logs.ship()
    server.error = Unreachable("away")
    for number in range(10_000):
        stream.write(f"line {number}")
        if number % 1000 == 0:
            logs.ship()
    server.error = None
    logs.flush(REF)
    text = server.logs[REF].decode()
    assert text.startswith("begin\nline 0\nline 1\n") and text.endswith("line 9998\nline 9999\n")
    assert "bytes of log dropped here" in text and len(text) < 2.5 * LIMITS.buffer


def test_a_chatty_task_ends_with_its_end() -> None:
    server = Server()
    logs = shipper(server)
    for number in range(20_000):
        logs.open(REF, "s").write(f"line {number}")
        if number % 10 == 0:
            logs.ship()
    logs.flush(REF)
    text = server.logs[REF].decode()
    assert text.endswith("line 19999\n") and len(text) < LIMITS.total + 2 * LIMITS.buffer


def test_a_stale_log_says_so_and_keeps_nothing() -> None:
    server = Server()
    server.error = StaleAttempt("stale", status=409)
    logs = shipper(server)
    stream = logs.open(REF, "s")
    stream.write("x")
    with pytest.raises(StaleAttempt):
        logs.flush(REF)
    assert stream.empty
    server.error = Refused("no", status=413)
    stream.write("y")
    logs.ship()
    assert stream.take(final=True)[1] == b""


def test_the_next_life_continues_where_this_one_stopped() -> None:
    server = Server()
    logs = shipper(server)
    stream = logs.open(REF, "s")
    stream.write("one")
    logs.ship()
    server.error = Unreachable("away")
    stream.write("two")
    logs.ship()
    stream.write("three")
    offset, rest = stream.remainder()
    server.error = None
    later = shipper(server)
    later.restore(REF, "s", offset, rest)
    later.flush(REF)
    assert server.logs[REF] == b"one\ntwo\nthree\n"


@given(st.lists(st.sampled_from(["write", "ship", "lose", "spool"]), max_size=60))
def test_whatever_is_lost_on_the_way_the_log_is_whole(events: list[str]) -> None:
    """Short logs lose nothing; `Server` checks that no byte moves and no hole appears."""
    server, written = Server(), 0
    logs = shipper(server, LogLimits(line=200, buffer=100_000, total=200_000))
    stream: LogStream = logs.open(REF, "s")
    for event in [*events, "write"]:
        match event:
            case "write":
                stream.write(f"line {written}")
                written += 1
            case "lose":
                server.lose_replies = 1
                logs.ship()
            case "spool":
                stream.remainder()
            case _:
                logs.ship()
    server.lose_replies = 0
    logs.flush(REF)
    expected = "".join(f"line {number}\n" for number in range(written))
    assert cast(Any, server.logs)[REF].decode() == expected
