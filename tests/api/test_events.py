"""The event stream over a real socket: it begins now or where one left off, and loses nothing in between."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from api_client import ServedFarm
from live_api import calling, until

from scheduler.api import events
from scheduler.service import live
from scheduler.service.submitting import submit_job
from scheduler.service.validating import validate_payload

WAIT_S = 5.0


class Stream:
    """Server-sent events as a client reads them."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.aiter_lines()
        self.comments = 0

    async def next(self) -> dict[str, str]:
        """The next event's fields."""
        event: dict[str, str] = {}
        async with asyncio.timeout(WAIT_S):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line and not line.startswith("retry"):
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "data" in event:
                    return event
        raise AssertionError("the stream ended")

    async def take(self, count: int) -> list[dict[str, Any]]:
        """The data of the next events."""
        return [json.loads((await self.next())["data"]) for _ in range(count)]

    async def comment(self) -> None:
        """Wait for the next comment."""
        async with asyncio.timeout(WAIT_S):
            async for line in self._lines:
                if line.startswith(":"):
                    return


@asynccontextmanager
async def stream(client: httpx.AsyncClient, query: str = "", **headers: str) -> AsyncIterator[Stream]:
    """Listen; entered once the stream has begun."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    async with client.stream("GET", f"/events{query}", headers=sent) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        listener = Stream(response)
        await listener.comment()
        yield listener


async def submit(farm: ServedFarm, name: str = "job") -> int:
    return await submit_job(farm.farm, "artist", validate_payload({"name": name, "renderer": "null"}))


def test_it_begins_now(served: ServedFarm) -> None:
    async def play() -> list[dict[str, Any]]:
        await submit(served, "before")
        async with calling(served) as client, stream(client) as listener:
            await submit(served, "after")
            return await listener.take(1)

    (event,) = served.run(play())
    assert (event["kind"], event["jobID"], event["data"]["name"]) == ("job.submitted", "00002", "after")


def test_resumed_it_tells_what_was_missed_and_then_what_happens(
    served: ServedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "CATCH_UP_EVENTS", 2)

    async def play() -> list[dict[str, Any]]:
        for number in range(5):
            await submit(served, f"missed {number}")
        async with calling(served) as client, stream(client, Last_Event_ID="2") as listener:
            told = await listener.take(4)
            await submit(served, "live")
            return told + await listener.take(1)

    told = served.run(play())
    assert [event["data"]["name"] for event in told] == [*(f"missed {number}" for number in range(1, 5)), "live"]
    assert [event["id"] for event in told] == [3, 4, 5, 6, 7]


def test_nothing_is_lost_or_doubled_between_table_and_live(served: ServedFarm) -> None:
    async def play() -> list[int]:
        await submit(served)
        async with calling(served) as client, asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(submit(served))
            async with stream(client, "?last_event_id=2") as listener:
                return [event["id"] for event in await listener.take(40)]

    assert served.run(play()) == list(range(3, 43))


def test_only_one_jobs_events(served: ServedFarm) -> None:
    async def play() -> list[dict[str, Any]]:
        await submit(served)
        await submit(served)
        async with calling(served) as client, stream(client, "?job=00002&last_event_id=1") as listener:
            await client.post("/jobs/1/pause")
            await client.post("/jobs/2/pause")
            return await listener.take(2)

    assert [(event["jobID"], event["kind"]) for event in served.run(play())] == [
        ("00002", "job.submitted"), ("00002", "job.status")]  # fmt: skip


def test_whoever_is_too_far_behind_is_told_to_load_afresh(served: ServedFarm) -> None:
    async def play() -> tuple[dict[str, str], list[dict[str, Any]]]:
        await submit(served)
        async with calling(served) as client, stream(client, "?last_event_id=999") as listener:
            first = await listener.next()
            await submit(served)
            return first, await listener.take(1)

    first, rest = served.run(play())
    assert first == {"id": "2", "event": "resync", "data": "{}"}
    assert [event["id"] for event in rest] == [3]


def test_a_silent_stream_is_kept_alive(served: ServedFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEP_ALIVE_S", 0.01)

    async def play() -> None:
        async with calling(served) as client, stream(client) as listener:
            await listener.comment()
            await listener.comment()

    served.run(play())


def test_a_listener_that_leaves_is_forgotten_and_a_slow_one_cut_off(
    served: ServedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribers = served.farm.live._subscribers

    async def play() -> None:
        async with calling(served) as client:
            async with stream(client):
                assert len(subscribers) == 1
            await until(lambda: not subscribers)
            monkeypatch.setattr(live, "SUBSCRIBER_QUEUE_MAX", 0)
            async with stream(client) as listener:
                await submit(served)
                with pytest.raises(AssertionError, match="the stream ended"):
                    await listener.next()

    served.run(play())


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [("?job=x", 404, "job_unknown"), ("?job=9", 404, "job_unknown"), ("?last_event_id=x", 422, "invalid_field")],
)
def test_refusals(shared_farm: ServedFarm, query: str, status: int, code: str) -> None:
    response = shared_farm.call("GET", f"/events{query}")

    assert (response.status_code, response.json()["data"]["code"]) == (status, code)


def test_the_stream_ends_when_the_farm_stops(served: ServedFarm) -> None:
    async def play() -> None:
        async with calling(served) as client, stream(client) as listener:
            served.farm.live.end_subscriptions()
            with pytest.raises(AssertionError, match="the stream ended"):
                await listener.next()

    served.run(play())
