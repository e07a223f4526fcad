"""A lease that comes back with what was rendered: kept as a blob, given to the next attempt, at nobody's expense."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from farms import LooseFarm, body
from sqlmodel import select

from scheduler.protocol.work import Lease, OutputFile, Report
from scheduler.store.tables import Attempt, Event, Task

FILM = b"half a film"
DIGEST = hashlib.sha256(FILM).hexdigest()


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LooseFarm]:
    farm = LooseFarm(tmp_path)
    yield farm
    farm.close()


def lease_of(farm: LooseFarm, worker: str) -> Lease:
    (lease,) = farm.sync(worker, want=1).leases
    return lease


def saving(lease: Lease, data: bytes = FILM, **more: Any) -> Report:
    digest = hashlib.sha256(data).hexdigest()
    file = OutputFile("checkpoint.partial", len(data), digest, "checkpoint", 1, {"done": 0.4})
    words = {"files": [file], "failure": "preempted", "message": "taken away", "seconds": 3.0} | more
    return Report(lease.task, lease.attempt, lease.secret, "returned", **words)


def save(farm: LooseFarm, worker: str, lease: Lease, *, settle: bool = True) -> int:
    """Stage a checkpoint and report it; the ack's status."""

    async def run() -> int:
        await farm.staging.stage_file(lease.task, lease.attempt, lease.secret, "checkpoint.partial", body(FILM), DIGEST)
        from scheduler.protocol.work import SyncRequest

        reply = await farm.leasing.sync(worker, SyncRequest(reports=[saving(lease)]))
        if settle:
            await farm.publisher.settled()
        return reply.acks[0].status

    return farm.run(run())


def events(farm: LooseFarm, kind: str) -> list[Event]:
    with farm.store.read() as session:
        return list(session.exec(select(Event).where(Event.kind == kind)).all())


@pytest.mark.parametrize("split", [{"split": {"samples": 2}}, {}], ids=["slice", "whole frame"])
def test_the_next_attempt_gets_what_the_last_one_had(farm: LooseFarm, split: dict[str, Any]) -> None:
    worker = farm.join()
    farm.submit(frames="1", **split)
    first = lease_of(farm, worker)
    assert first.resume is None
    assert save(farm, worker, first) == 202

    second = lease_of(farm, farm.join("other"))

    assert (second.task, second.attempt) == (first.task, first.attempt + 1)
    assert second.resume is not None
    assert (second.resume.hash, second.resume.size) == (DIGEST, len(FILM))
    assert farm.store.blobs.path(DIGEST).read_bytes() == FILM
    with farm.store.read() as session:
        attempt = session.get(Attempt, (first.task, first.attempt))
        task = session.get(Task, first.task)
    assert attempt is not None and task is not None
    assert (attempt.status, attempt.failure, attempt.seconds) == ("RETURNED", "preempted", 3.0)
    assert (task.failures, task.troubles) == (0, 0)
    (event,) = events(farm, "task.saved")
    assert event.task_id == first.task


def test_a_second_checkpoint_takes_the_place_of_the_first(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(frames="1")
    for attempt in (1, 2, 3):
        lease = lease_of(farm, worker)
        assert lease.attempt == attempt
        assert (lease.resume is not None) == (attempt > 1)
        assert save(farm, worker, lease) == 202
    assert len(events(farm, "task.saved")) == 3


def test_a_scheduler_that_dies_before_it_is_kept_keeps_it_afterwards(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(frames="1")
    first = lease_of(farm, worker)
    save(farm, worker, first, settle=False)
    farm.restart()
    farm.publish_pending()

    again = lease_of(farm, worker)
    assert again.attempt == 2 and again.resume is not None and again.resume.hash == DIGEST


def test_a_checkpoint_that_never_arrived_costs_nothing_else(farm: LooseFarm) -> None:
    """Announced but not staged: the lease goes back all the same, and the next attempt begins anew."""
    worker = farm.join()
    farm.submit(frames="1")
    first = lease_of(farm, worker)

    async def report() -> None:
        from scheduler.protocol.work import SyncRequest

        await farm.leasing.sync(worker, SyncRequest(reports=[saving(first)]))
        await farm.publisher.settled()

    farm.run(report())
    second = lease_of(farm, worker)
    assert second.attempt == 2 and second.resume is None
    assert events(farm, "task.saved") == []


def test_a_zombie_saves_nothing(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(frames="1")
    first = lease_of(farm, worker)
    farm.sync(worker, reports=[Report(first.task, first.attempt, first.secret, "returned")])
    second = lease_of(farm, farm.join("other"))
    assert farm.sync(worker, reports=[saving(first)]).acks[0].status == 409
    assert second.resume is None


def test_the_time_of_a_rest_is_not_learned(farm: LooseFarm) -> None:
    noted: list[Any] = []
    farm.services.publisher._estimator.note = lambda *said: noted.append(said)
    worker = farm.join()
    farm.submit(frames="1-2")
    first = lease_of(farm, worker)
    save(farm, worker, first)
    for _ in range(2):
        farm.deliver(worker, lease_of(farm, worker))
    assert len(noted) == 1


def test_a_worker_that_leaves_is_drained_and_says_why(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(frames="1-9")
    farm.sync(worker, leaving="the provider takes it")
    live = farm.farm.live.workers[worker]
    assert (live.leaving, live.status.value) == ("the provider takes it", "DRAINING")
    assert farm.sync(worker, want=1, leaving="the provider takes it").leases == [], "it asked by mistake"
    (event,) = events(farm, "worker.leaving")
    assert event.worker == worker
    assert len(farm.sync(worker, want=1).leases) == 1, "it was started again on the same machine"
    assert live.status.value == "ACTIVE"


def test_a_worker_that_a_person_drained_stays_so(farm: LooseFarm) -> None:
    from scheduler.service.registering import drain_worker

    worker = farm.join()
    farm.run(drain_worker(farm.farm, worker))
    farm.sync(worker, leaving="its time limit is near")
    farm.sync(worker)
    assert farm.farm.live.workers[worker].status.value == "DRAINING"
