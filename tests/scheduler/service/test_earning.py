"""What ended attempts earn, and how workers are judged by them: counted once, whatever crashes in between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from farms import LooseFarm
from points import deal_in_points, own_worker
from sqlmodel import select

from scheduler.protocol.work import Report
from scheduler.service.earning import COUNTED_UNTIL, SETTLE_S, book_attempts
from scheduler.store.production import PointsAccount, PointsEntry
from scheduler.store.tables import Meta, Worker

HOUR_S = 3600.0


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LooseFarm]:
    found = LooseFarm(tmp_path, lease_s=10 * HOUR_S)
    yield found
    found.close()


def render(farm: LooseFarm, worker: str, *, took_s: float, said_s: float | None = None, frames: str = "1") -> None:
    """The worker takes all tasks of a new job and hands them in after so many seconds."""
    farm.submit(renderer="null", frames=frames)
    leases = farm.sync(worker, want=100).leases
    farm.clock.advance(took_s)
    said = took_s if said_s is None else said_s
    farm.sync(worker, reports=[Report(each.task, each.attempt, each.secret, "done", seconds=said) for each in leases])


def book(farm: LooseFarm) -> float:
    farm.clock.advance(SETTLE_S + 1)
    return farm.run(book_attempts(farm.farm)).points


def balance(farm: LooseFarm, user: str) -> float:
    with farm.store.read() as session:
        account = session.get(PointsAccount, user)
        entries = session.exec(select(PointsEntry).where(PointsEntry.user == user)).all()
    assert sum(entry.points for entry in entries) == pytest.approx(account.balance if account else 0.0)
    return account.balance if account else 0.0


def counts(farm: LooseFarm, worker: str) -> tuple[int, int]:
    with farm.store.read() as session:
        row = session.get(Worker, worker)
        return row.succeeded, row.failed


def test_power_times_vcpu_hours_times_rate(farm: LooseFarm) -> None:
    deal_in_points(farm, earn_points_per_hour=10.0)
    worker = farm.join()  # 8 vCPUs in 4 slots: 2 each
    own_worker(farm, worker, "anna", rating=1.5)
    render(farm, worker, took_s=HOUR_S / 2, frames="1-3")

    assert book(farm) == pytest.approx(3 * 2 * 0.5 * 1.5 * 10)
    assert balance(farm, "anna") == pytest.approx(45.0)
    assert counts(farm, worker) == (3, 0)
    assert book(farm) == 0.0
    assert balance(farm, "anna") == pytest.approx(45.0)


def test_a_worker_cannot_say_that_it_took_longer_than_it_did(farm: LooseFarm) -> None:
    deal_in_points(farm)
    worker = farm.join()
    own_worker(farm, worker, "anna")
    render(farm, worker, took_s=HOUR_S, said_s=1000 * HOUR_S)
    assert book(farm) == pytest.approx(2.0)


def test_nobody_s_machine_and_a_studio_without_points_earn_nothing(farm: LooseFarm) -> None:
    worker = farm.join()
    own_worker(farm, worker, "anna")
    render(farm, worker, took_s=HOUR_S)
    assert book(farm) == 0.0
    assert counts(farm, worker) == (1, 0)

    deal_in_points(farm)
    own_worker(farm, worker, "")
    render(farm, worker, took_s=HOUR_S)
    assert book(farm) == 0.0


def test_only_the_worker_s_own_faults_count_against_it(farm: LooseFarm) -> None:
    worker = farm.join()
    farm.submit(renderer="null", frames="1-4")
    leases = farm.sync(worker, want=4).leases
    farm.clock.advance(60)
    for lease, failure in zip(leases, ("infra", "user", "licence", "preempted"), strict=True):
        fence = (lease.task, lease.attempt, lease.secret)
        farm.sync(worker, reports=[Report(*fence, "failed", failure=failure, message="x", seconds=60.0)])
    book(farm)
    assert counts(farm, worker) == (0, 1)


def test_a_crash_between_reading_and_booking_books_once(farm: LooseFarm, monkeypatch: pytest.MonkeyPatch) -> None:
    deal_in_points(farm)
    worker = farm.join()
    own_worker(farm, worker, "anna")
    render(farm, worker, took_s=HOUR_S)
    farm.clock.advance(SETTLE_S + 1)

    def crash(*_args: object) -> None:
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr("scheduler.service.earning._note_counted", crash)
        with pytest.raises(RuntimeError, match="power"):
            farm.run(book_attempts(farm.farm))
    assert balance(farm, "anna") == 0.0
    assert counts(farm, worker) == (0, 0)

    farm.restart()
    deal_in_points(farm)
    assert farm.run(book_attempts(farm.farm)).points == pytest.approx(2.0)
    farm.restart()
    deal_in_points(farm)
    assert farm.run(book_attempts(farm.farm)).points == 0.0
    assert balance(farm, "anna") == pytest.approx(2.0)


def test_two_passes_at_once_book_once(farm: LooseFarm) -> None:
    import asyncio

    deal_in_points(farm)
    worker = farm.join()
    own_worker(farm, worker, "anna")
    render(farm, worker, took_s=HOUR_S)
    farm.clock.advance(SETTLE_S + 1)

    async def both() -> list[float]:
        return [done.points for done in await asyncio.gather(book_attempts(farm.farm), book_attempts(farm.farm))]

    assert sorted(farm.run(both())) == [0.0, pytest.approx(2.0)]
    assert balance(farm, "anna") == pytest.approx(2.0)


def test_the_newest_attempts_wait_until_they_are_surely_on_the_disk(farm: LooseFarm) -> None:
    deal_in_points(farm)
    worker = farm.join()
    own_worker(farm, worker, "anna")
    render(farm, worker, took_s=HOUR_S)
    farm.clock.advance(SETTLE_S - 1)
    assert farm.run(book_attempts(farm.farm)).points == 0.0
    farm.clock.advance(2)
    assert farm.run(book_attempts(farm.farm)).points == pytest.approx(2.0)
    with farm.store.read() as session:
        assert float(session.get(Meta, COUNTED_UNTIL).value) == pytest.approx(farm.farm.now_s() - SETTLE_S)
