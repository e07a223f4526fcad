"""What only real sockets show: large bodies that are refused, keep-alive afterwards, a worker that hangs up."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path

import httpx
import pytest
import structlog
from api_client import ServedFarm
from live_api import calling, listening, until

from scheduler.api import sync

LARGE = os.urandom(1 << 20) * 24


def test_a_large_body_streams_both_ways(served: ServedFarm) -> None:
    digest = hashlib.sha256(LARGE).hexdigest()

    async def play() -> tuple[int, bytes, int]:
        async with calling(served) as client:
            put = await client.put(f"/blobs/{digest}", content=LARGE)
            known = await client.put(f"/blobs/{digest}", content=LARGE)
            got = await client.get(f"/blobs/{digest}", headers={"Range": f"bytes={len(LARGE) - 5}-"})
            return put.status_code, got.content, known.status_code

    assert served.run(play()) == (201, LARGE[-5:], 200)


def test_a_refusal_reaches_a_caller_that_is_still_sending(served: ServedFarm) -> None:
    """A stale attempt's worker must read 409, not a broken pipe: else it would try for ever."""

    async def play() -> list[int]:
        async with calling(served, "worker") as client:
            headers = {"X-Lease-Secret": "stale"}
            stale = await client.put("/attempts/1.1/files/0001.png", content=LARGE, headers=headers)
            again = await client.post(f"/workers/{served.worker}/sync", json={})
            return [stale.status_code, again.status_code]

    served.post_job(renderer="null")
    served.lease()
    assert served.run(play()) == [409, 200]


@pytest.mark.parametrize("path", ["/blobs/" + "0" * 64, "/jobs/new", "/new_job"])
def test_an_upload_that_breaks_off_leaves_nothing_and_is_no_bug(served: ServedFarm, path: str) -> None:
    method = "PUT" if path.startswith("/blobs") else "POST"
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n"
        f"Content-Type: multipart/form-data; boundary=B\r\nAuthorization: Bearer {served.tokens['user']}\r\n\r\n"
    )
    part = b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n' + b"x" * 5000

    async def play() -> None:
        async with listening(served) as url:
            _reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
            writer.write(head.encode() + part)
            await writer.drain()
            if path != "/new_job":
                await until(lambda: len(incoming(served)) == 1)
            writer.close()
            await until(lambda: incoming(served) == [])

    with structlog.testing.capture_logs() as logs:
        served.run(play())

    assert [line for line in logs if line["log_level"] == "error"] == []


def incoming(farm: ServedFarm) -> list[Path]:
    """What lies half received."""
    return list((farm.store.folders.blobs / ".incoming").glob("*"))


def test_a_worker_that_hung_up_while_it_waited_gets_no_lease(
    served: ServedFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the next task would be lost to a dead caller until the lease ends."""
    monkeypatch.setattr(sync, "WATCH_AFTER_S", 0.0)
    path, worker = f"/workers/{served.worker}/sync", served.farm.live.workers[served.worker]

    async def play() -> tuple[int, int]:
        async with listening(served) as url:
            gone = httpx.AsyncClient(base_url=url, headers=served.headers("worker"), timeout=10)
            call = asyncio.create_task(gone.post(path, json={"want": 4, "wait_s": 60}))
            await until(lambda: worker.parked is not None)
            waiting = worker.parked
            call.cancel()
            await gone.aclose()
            await until(lambda: worker.parked is not waiting)  # the hang-up was noticed
            await served.client.post("/new_job", json={"name": "x", "renderer": "null"}, headers=served.headers("user"))
            await served.tick.run()
            await asyncio.sleep(0.1)  # long enough for the exchange that must not happen
            before = len(served.farm.live.leases)
            reply = await served.client.post(path, json={"want": 4}, headers=served.headers("worker"))
            return before, len(reply.json()["data"]["leases"])

    assert served.run(play()) == (0, 1)


def test_a_waiting_worker_gets_the_next_job_at_once(served: ServedFarm) -> None:
    async def play() -> int:
        async with calling(served, "worker") as client:
            call = asyncio.create_task(client.post(f"/workers/{served.worker}/sync", json={"want": 4, "wait_s": 30}))
            await until(lambda: served.farm.live.workers[served.worker].parked is not None)
            body, headers = {"name": "x", "renderer": "null"}, served.headers("user")
            await client.post("/new_job", json=body, headers=headers)
            await served.tick.run()
            return len((await call).json()["data"]["leases"])

    assert served.run(play()) == 1
