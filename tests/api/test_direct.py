"""Workers and the farm's object store: signed URLs for what they hold, the scheduler's own road for everything else."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from api_client import ServedFarm
from live_api import listening
from store_bench import Bench

from scheduler.protocol.sealed import SEGMENT_BYTES
from scheduler.protocol.work import DIRECT_HEADER, SEAL_HEADER, Lease, TaskRef
from scheduler.store.frames import staging_key
from worker.answers import StaleAttempt
from worker.client import SchedulerClient
from worker.direct import SKIPPED, DirectStore, StoreFailed
from worker.settings import WorkerSettings

DATA = bytes(range(256)) * 500
DIGEST = hashlib.sha256(DATA).hexdigest()
DIRECT = {DIRECT_HEADER: "1"}

Result = TypeVar("Result")

on_s3 = pytest.mark.parametrize("bench", ["s3"], indirect=True)
on_gcs = pytest.mark.parametrize("bench", ["gcs"], indirect=True)


@pytest.fixture
def farm(tmp_path: Path, bench: Bench) -> Iterator[ServedFarm]:
    farm = ServedFarm(tmp_path, bench=bench)
    assert farm.call("PUT", f"/blobs/{DIGEST}", content=DATA).status_code == 201
    yield farm
    farm.close()


def with_worker(farm: ServedFarm, play: Callable[[SchedulerClient], Result]) -> Result:
    """What a worker's client does over a real socket."""

    async def run() -> Result:
        async with listening(farm) as url:
            client = SchedulerClient(WorkerSettings(server=url), farm.tokens["worker"])
            try:
                return await asyncio.to_thread(play, client)
            finally:
                client.close()

    return farm.run(run())


def leased(farm: ServedFarm) -> Lease:
    farm.post_job(frames="7")
    (lease,) = farm.lease()
    return lease


def fetched(client: SchedulerClient, offset: int = 0) -> bytes:
    into = io.BytesIO(DATA[:offset])
    into.seek(0, io.SEEK_END)
    for _written in client.transfers.get(DIGEST, into, offset):
        pass
    return into.getvalue()


def test_a_blob_comes_and_goes_whatever_the_store(farm: ServedFarm) -> None:
    whole, part = (farm.call("GET", f"/blobs/{DIGEST}", headers={"Range": text}) for text in ("", "bytes=5-9"))
    head = farm.call("HEAD", f"/blobs/{DIGEST}")
    known = farm.call("GET", f"/blobs/{DIGEST}", headers={"If-None-Match": f'"{DIGEST}"'})
    again = farm.call("PUT", f"/blobs/{DIGEST}", content=DATA)

    assert (whole.status_code, whole.content) == (200, DATA)
    assert (part.status_code, part.content) == (206, DATA[5:10])
    assert part.headers["content-range"] == f"bytes 5-9/{len(DATA)}"
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(DATA)), b"")
    assert (known.status_code, again.status_code) == (304, 200)
    assert [path for path in farm.store.folders.blobs.rglob("*") if path.is_file() and farm.farm.direct] == []


@pytest.mark.parametrize("text", ["bytes=-5", "bytes=127995-", "bytes=127995-999999"])
@on_s3
def test_every_kind_of_range(farm: ServedFarm, text: str) -> None:
    answer = farm.call("GET", f"/blobs/{DIGEST}", headers={"Range": text})

    assert (answer.status_code, answer.content) == (206, DATA[-5:])
    assert farm.call("GET", f"/blobs/{DIGEST}", headers={"Range": "bytes=128000-"}).status_code == 416


@on_s3
def test_only_a_worker_that_asks_is_sent_to_the_store(farm: ServedFarm) -> None:
    sent = farm.call("GET", f"/blobs/{DIGEST}", "worker", headers=DIRECT)
    silent = farm.call("GET", f"/blobs/{DIGEST}", "worker")
    person = farm.call("GET", f"/blobs/{DIGEST}", "user", headers=DIRECT)
    unknown = farm.call("GET", f"/blobs/{'0' * 64}", "worker", headers=DIRECT)
    nobody = farm.call("GET", f"/blobs/{DIGEST}", "none", headers=DIRECT)

    assert (sent.status_code, sent.content, sent.headers["cache-control"]) == (307, b"", "no-store")
    assert "X-Amz-Signature" in sent.headers["location"]
    assert [silent.status_code, person.status_code, unknown.status_code, nobody.status_code] == [200, 200, 404, 401]


@on_s3
def test_a_worker_fetches_from_the_store(farm: ServedFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    get = DirectStore.get
    monkeypatch.setattr(
        DirectStore, "get", lambda self, *arguments: (asked.append(arguments), get(self, *arguments))[1]
    )

    assert with_worker(farm, fetched) == DATA
    assert with_worker(farm, lambda client: fetched(client, 1000)) == DATA
    assert [offset for _url, _into, offset in asked] == [0, 1000]


@on_s3
def test_a_worker_puts_into_the_store_and_the_scheduler_publishes(farm: ServedFarm, tmp_path: Path) -> None:
    lease, file = leased(farm), tmp_path / "0007.png"
    file.write_bytes(DATA)
    ref = TaskRef(lease.task, lease.attempt)

    with_worker(farm, lambda client: client.transfers.put(ref, lease.secret, file, DIGEST, direct=lease.direct))

    assert farm.store.storage.objects.size(staging_key(lease.task, lease.attempt, file.name)) == len(DATA)
    assert not farm.store.folders.attempt(lease.task, lease.attempt).exists()
    report = farm.finished(lease, DATA)
    farm.data("POST", f"/workers/{farm.worker}/sync", "worker", json={"reports": [_plain(report)]})
    farm.run(farm.publisher.settled())
    assert farm.call("GET", f"/jobs/{lease.job}/frames/7").content == DATA


@pytest.fixture
def sealed_farm(tmp_path: Path, bench: Bench) -> Iterator[ServedFarm]:
    bench.sealed = True
    farm = ServedFarm(tmp_path, bench=bench)
    assert farm.call("PUT", f"/blobs/{DIGEST}", content=DATA).status_code == 201
    yield farm
    farm.close()


@on_s3
def test_what_a_worker_fetches_from_a_sealed_store_is_opened(sealed_farm: ServedFarm) -> None:
    sent = sealed_farm.call("GET", f"/blobs/{DIGEST}", "worker", headers=DIRECT)

    assert (sent.status_code, len(sent.headers[SEAL_HEADER])) == (307, 64)
    assert with_worker(sealed_farm, fetched) == DATA
    for offset in (1000, SEGMENT_BYTES, SEGMENT_BYTES + 7, len(DATA)):
        assert with_worker(sealed_farm, lambda client, offset=offset: fetched(client, offset)) == DATA


@on_s3
def test_what_a_worker_puts_into_a_sealed_store_is_sealed_and_published(
    sealed_farm: ServedFarm, bench: Bench, tmp_path: Path
) -> None:
    lease, file = leased(sealed_farm), tmp_path / "0007.png"
    file.write_bytes(DATA)
    ref = TaskRef(lease.task, lease.attempt)

    with_worker(
        sealed_farm,
        lambda client: client.transfers.put(ref, lease.secret, file, DIGEST, direct=lease.direct, seal=lease.seal),
    )

    with bench.store.open(staging_key(lease.task, lease.attempt, file.name)) as raw:
        assert DATA[:64] not in raw.read()
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".sealed")] == []
    report = sealed_farm.finished(lease, DATA)
    sealed_farm.data("POST", f"/workers/{sealed_farm.worker}/sync", "worker", json={"reports": [_plain(report)]})
    sealed_farm.run(sealed_farm.publisher.settled())
    assert sealed_farm.call("GET", f"/jobs/{lease.job}/frames/7").content == DATA


@on_s3
def test_what_was_not_sealed_by_the_worker_is_no_frame(sealed_farm: ServedFarm, tmp_path: Path) -> None:
    lease, file = leased(sealed_farm), tmp_path / "0007.png"
    file.write_bytes(DATA)
    ref = TaskRef(lease.task, lease.attempt)
    with_worker(sealed_farm, lambda client: client.transfers.put(ref, lease.secret, file, DIGEST, direct=True, seal=""))
    report = sealed_farm.finished(lease, DATA)
    sealed_farm.data("POST", f"/workers/{sealed_farm.worker}/sync", "worker", json={"reports": [_plain(report)]})
    sealed_farm.run(sealed_farm.publisher.settled())

    task = sealed_farm.data("GET", f"/tasks/{lease.task}")
    assert (task["status"], task["attempts"][0]["failure"]) == ("READY", "infra")
    assert "sealed" in task["attempts"][0]["message"] or "not in the store" in task["attempts"][0]["message"]


@on_s3
def test_who_has_no_lease_gets_no_url(farm: ServedFarm, tmp_path: Path) -> None:
    lease, file = leased(farm), tmp_path / "0007.png"
    file.write_bytes(DATA)
    ref = TaskRef(lease.task, lease.attempt)

    with pytest.raises(StaleAttempt):
        with_worker(farm, lambda client: client.transfers.put(ref, "stolen", file, DIGEST, direct=True))
    path = f"/attempts/{lease.task}.{lease.attempt}/files/a.png/url"
    held, body = {"X-Lease-Secret": lease.secret}, {"size": 3, "hash": DIGEST}
    for role, wanted in (("none", 401), ("user", 403), ("admin", 403), ("worker", 200)):
        assert farm.call("POST", path, role, headers=held, json=body).status_code == wanted
    for wrong in ({"size": -1}, {"hash": "x"}, {"more": 1}, {"size": 2**49}):
        assert farm.call("POST", path, "worker", headers=held, json=body | wrong).status_code in (413, 422)


@pytest.mark.parametrize("bench", ["local", "gcs"], indirect=True)
def test_where_nothing_is_signed_the_scheduler_takes_it(farm: ServedFarm, tmp_path: Path) -> None:
    """A disk, and Google's storage without a key that signs."""
    lease, file = leased(farm), tmp_path / "0007.png"
    file.write_bytes(DATA)
    ref = TaskRef(lease.task, lease.attempt)

    with_worker(farm, lambda client: client.transfers.put(ref, lease.secret, file, DIGEST, direct=True))

    assert [path.name for path in farm.store.folders.attempt(lease.task, lease.attempt).iterdir()] == ["0007.png"]
    assert with_worker(farm, fetched) == DATA


@on_s3
def test_a_store_that_a_worker_cannot_reach_is_passed_by(
    farm: ServedFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[str] = []

    def fails(_self: DirectStore, url: str, *_rest: Any) -> Iterator[int]:
        tried.append(url)
        raise StoreFailed("a wall")

    monkeypatch.setattr(DirectStore, "get", fails)
    monkeypatch.setattr(DirectStore, "put", fails)
    lease, file = leased(farm), tmp_path / "0007.png"
    file.write_bytes(DATA)
    ref = TaskRef(lease.task, lease.attempt)

    def play(client: SchedulerClient) -> None:
        for _time in range(SKIPPED + 1):
            assert fetched(client) == DATA
        client.transfers.put(ref, lease.secret, file, DIGEST, direct=True)

    with_worker(farm, play)

    assert len(tried) == 2, "once, and again after so many files"
    assert farm.store.folders.attempt(lease.task, lease.attempt).joinpath("0007.png").read_bytes() == DATA


def _plain(report: Any) -> Any:
    import msgspec

    return msgspec.to_builtins(report)
