"""Frames and partials on every store: committed once and by the scheduler alone, whoever brought the bytes."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from api_client import ServedFarm
from farms import LooseFarm
from sqlmodel import select
from store_bench import Bench
from store_fixtures import bench, fake_gcs, weed  # noqa: F401

from scheduler.errors import Refused, StaleAttempt, Unavailable
from scheduler.objects.port import Announced
from scheduler.protocol.work import Lease
from scheduler.service import committing
from scheduler.service.keeping import keep_house
from scheduler.service.viewing_frames import FrameFile, published_frames
from scheduler.store.frames import staging_key
from scheduler.store.tables import Attempt, Frame, Task

PIXELS = b"pixels"
on_stores = pytest.mark.parametrize("bench", ["s3", "gcs"], indirect=True)
on_s3 = pytest.mark.parametrize("bench", ["s3"], indirect=True)
DIGEST = hashlib.sha256(PIXELS).hexdigest()


@pytest.fixture
def farm(tmp_path: Path, bench: Bench) -> Iterator[LooseFarm]:  # noqa: F811
    farm = ServedFarm(tmp_path, bench=bench)
    yield farm
    farm.close()


def frames_of(farm: LooseFarm, job: int) -> list[FrameFile]:
    with farm.store.read() as session:
        return published_frames(session, job)


def content_of(farm: LooseFarm, frame: FrameFile) -> bytes:
    with farm.store.frames.open(frame.where, frame.size) as stream:
        return stream.read()


def staged_files(farm: LooseFarm) -> list[Path]:
    return [path for path in farm.store.folders.staging.rglob("*") if path.is_file()]


def put_directly(farm: LooseFarm, lease: Lease, content: bytes = PIXELS, name: str = "0007.png") -> None:
    """As a worker does with a signed URL. The stand-in of Google's takes no signatures, so there the test puts it."""
    if farm.bench.kind == "s3":
        digest = hashlib.sha256(content).hexdigest()
        announced = Announced(len(content), digest)
        signed = farm.run(farm.staging.direct_url(lease.task, lease.attempt, lease.secret, name, announced))
        assert signed is not None
        assert httpx.put(signed.url, content=content, headers=signed.headers).status_code == 200
        return
    file = farm.settings.server.data / "upload"
    file.write_bytes(content)
    farm.store.storage.objects.put(staging_key(lease.task, lease.attempt, name), file)


def report(farm: LooseFarm, worker: str, lease: Lease, content: bytes = PIXELS) -> None:
    """Report without staging anything with the scheduler."""

    async def play() -> None:
        await farm.leasing.report(worker, farm.finished(lease, content))
        await farm.publisher.settled()

    farm.run(play())


def test_a_frame_without_a_path_stays_in_the_storage(farm: LooseFarm) -> None:
    worker, job = farm.join(), farm.submit(name="shot a", frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    farm.deliver(worker, lease)

    (frame,) = frames_of(farm, job)
    assert content_of(farm, frame) == PIXELS
    assert frame.name == "shot_a.0007.png"
    assert farm.store.frames.copy(frame.where, frame.hash).read_bytes() == PIXELS
    if farm.store.frames.remote:
        assert frame.where == f"{farm.store.storage.objects.url}/frames/{job:05d}/{DIGEST}/shot_a.0007.png"
        assert list(farm.store.folders.frames.rglob("*")) == []
    else:
        assert frame.where == str(farm.store.folders.frames / f"{job:05d}" / "shot_a.0007.png")
    assert staged_files(farm) == []
    assert lease.direct == farm.store.frames.remote


def test_a_frame_with_a_path_goes_home(farm: LooseFarm, tmp_path: Path) -> None:
    worker, job = farm.join(), farm.submit(frames="7", output=str(tmp_path / "out" / "f.####.png"))
    (lease,) = farm.sync(worker, want=1).leases
    farm.deliver(worker, lease)

    (frame,) = frames_of(farm, job)
    assert frame.where == str(tmp_path / "out" / "f.0007.png")
    assert Path(frame.where).read_bytes() == PIXELS


def test_partials_become_blobs_that_a_merge_reads(farm: LooseFarm) -> None:
    worker, job = farm.join(), farm.submit(frames="1", split={"tiles": [2, 1]})
    parts = farm.sync(worker, want=2).leases
    for number, lease in enumerate(parts):
        farm.deliver(worker, lease, b"part %d" % number)
    (merge,) = farm.sync(worker, want=1).leases

    assert [farm.store.blobs.path(each.hash).read_bytes() for each in merge.inputs] == [b"part 0", b"part 1"]
    farm.deliver(worker, merge)
    assert len(frames_of(farm, job)) == 1


@on_stores
def test_what_a_worker_put_into_the_store_is_looked_at_first(farm: LooseFarm, tmp_path: Path) -> None:
    worker = farm.join()
    stored, home = farm.submit(frames="7"), farm.submit(frames="7", output=str(tmp_path / "out" / "f.png"))
    for lease in farm.sync(worker, want=2).leases:
        put_directly(farm, lease)
        report(farm, worker, lease)

    for job in (stored, home):
        (frame,) = frames_of(farm, job)
        assert content_of(farm, frame) == PIXELS
    objects = farm.store.storage.objects
    assert [objects.size(staging_key(task, 1, "0007.png")) for task in (1, 2)] == [None, None], "it was cleared away"
    assert staged_files(farm) == []


@on_s3
@pytest.mark.parametrize("content", [b"pixelz", b"pixels and more", None])
def test_what_is_not_as_announced_is_no_frame(farm: LooseFarm, content: bytes | None) -> None:
    worker, job = farm.join(), farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    if content is not None:
        put_directly(farm, lease, content)
    report(farm, worker, lease, PIXELS)

    assert frames_of(farm, job) == []
    with farm.store.read() as session:
        attempt = session.exec(select(Attempt).where(Attempt.task_id == lease.task)).one()
    assert (attempt.failure, attempt.status) == ("infra", "FAILED")
    assert "as the worker said" in attempt.message or "than the worker said" in attempt.message


@on_s3
def test_a_file_that_does_not_decode_is_no_frame(farm: LooseFarm) -> None:
    worker, job = farm.join(), farm.submit(frames="7", max_attempts=1)
    (lease,) = farm.sync(worker, want=1).leases
    put_directly(farm, lease, b"broken pixels")
    report(farm, worker, lease, b"broken pixels")

    assert frames_of(farm, job) == []
    assert farm.store.storage.objects.sweep("frames/", before_s=2**40, objects=True) == 0, "nothing was committed"


def test_a_url_is_handed_to_the_holder_of_the_lease_alone(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    announced = Announced(6, DIGEST)

    def ask(attempt: int = lease.attempt, secret: str = lease.secret, name: str = "f.png", size: int = 6) -> Any:
        sized = announced._replace(size=size)
        return farm.run(farm.staging.direct_url(lease.task, attempt, secret, name, sized))

    assert (ask() is not None) == (farm.bench.kind == "s3")
    with pytest.raises(StaleAttempt):
        ask(secret="another")
    for wrong in ({"name": "../f.png"}, {"size": farm.settings.limits.output_max_bytes + 1}):
        with pytest.raises(Refused):
            ask(**wrong)


@on_stores
def test_a_store_that_is_away_is_waited_for(farm: LooseFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verified frame is kept, the reason is told, and nothing is rendered twice."""
    monkeypatch.setattr(committing, "WAIT_FIRST_S", 0.01)
    monkeypatch.setattr(committing, "WAIT_MAX_S", 0.01)
    worker, job = farm.join(), farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    told: list[dict[int, str]] = []

    class Away:
        """A store that comes back after some tries."""

        def __init__(self, store: Any) -> None:
            self.store, self.url = store, store.url

        def put(self, key: str, file: Path) -> bool:
            told.append(dict(farm.publisher.waiting))
            if len(told) < 4:
                raise Unavailable("The storage is on holiday.", code="storage_unreachable")
            return self.store.put(key, file)

    monkeypatch.setattr(farm.store.frames, "_objects", Away(farm.store.storage.objects))
    farm.deliver(worker, lease)

    assert told == [{}, *[{lease.task: "The storage is on holiday."}] * 3]
    assert farm.publisher.waiting == {}
    monkeypatch.undo()
    assert [content_of(farm, frame) for frame in frames_of(farm, job)] == [PIXELS]
    with farm.store.read() as session:
        assert session.exec(select(Task.attempt)).all() == [1]


def test_a_crash_between_commit_and_record_renders_nothing_twice(
    farm: LooseFarm, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker, job = farm.join(), farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases

    async def dies(*_arguments: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patch:
        patch.setattr(farm.publisher, "_finish", dies)
        farm.deliver(worker, lease)
    assert frames_of(farm, job) == []
    farm.restart()
    farm.publish_pending()

    (frame,) = frames_of(farm, job)
    assert content_of(farm, frame) == PIXELS
    with farm.store.read() as session:
        assert session.exec(select(Frame.attempt)).all() == [1]


def test_a_forgotten_job_takes_its_objects_along(farm: LooseFarm) -> None:
    worker = farm.join()
    jobs = [farm.submit(frames="7") for _ in range(2)]
    for lease in farm.sync(worker, want=2).leases:
        farm.deliver(worker, lease)
        if lease.job == f"{jobs[0]:05d}":
            farm.clock.advance(80 * 86_400.0)
    old, new = (frames_of(farm, job)[0] for job in jobs)
    farm.clock.advance(20 * 86_400.0)

    farm.run(keep_house(farm.farm))

    assert not farm.store.frames.is_there(old.where, old.size)
    assert content_of(farm, new) == PIXELS


def test_nothing_is_forgotten_while_the_store_is_away(farm: LooseFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that went now would leave their objects behind for ever."""
    worker, job = farm.join(), farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    farm.deliver(worker, lease)
    farm.clock.advance(200 * 86_400.0)

    def away(_before_s: float) -> int:
        raise Unavailable("The storage is on holiday.", code="storage_unreachable")

    with monkeypatch.context() as patch:
        patch.setattr(farm.store.frames, "sweep", away)
        assert farm.run(keep_house(farm.farm))["jobs"] == 0
    assert len(frames_of(farm, job)) == 1
    assert farm.run(keep_house(farm.farm))["jobs"] == 1


@on_stores
def test_what_was_put_and_never_reported_is_swept(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    put_directly(farm, lease)
    key = staging_key(lease.task, lease.attempt, "0007.png")
    now_s = farm.store.folders.data.stat().st_mtime  # stores go by their own clock, which no test moves

    assert farm.store.frames.sweep(now_s - 3600) == 0
    assert farm.store.storage.objects.size(key) == len(PIXELS)
    assert farm.store.frames.sweep(now_s + 3600) == 1
    assert farm.store.storage.objects.size(key) is None


@on_s3
def test_a_damaged_object_is_not_handed_on(farm: LooseFarm) -> None:
    """Copies are verified as they come."""
    worker, job = farm.join(), farm.submit(frames="7")
    (lease,) = farm.sync(worker, want=1).leases
    farm.deliver(worker, lease)
    (frame,) = frames_of(farm, job)
    objects, key = farm.store.storage.objects, frame.where.removeprefix(f"{farm.store.storage.objects.url}/")
    objects.remove(key)
    file = farm.settings.server.data / "other"
    file.write_bytes(b"pixelz")
    objects.put(key, file)
    farm.store.storage.copies.drop(key)

    with pytest.raises(Unavailable, match="is damaged"):
        farm.store.frames.copy(frame.where, frame.hash)
