"""How instances end: drained, retired, taken back, gone; and what nobody wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rented_farm import HOUR_S, POOL, RentedFarm

from scheduler.domain.scaling import Scaling
from scheduler.domain.states import WorkerStatus
from scheduler.errors import NotFound
from scheduler.protocol.work import Report, Running
from scheduler.service.costing import list_costs
from scheduler.service.reaping import reap_pools
from scheduler.service.viewing import list_workers

Make = Callable[..., RentedFarm]


# ---- Ending --------------------------------------------------------------------------------------------------------


def working(farm: RentedFarm) -> tuple[str, str]:
    """An instance whose worker renders; the ids of both."""
    farm.apply(1)
    farm.pass_time(40.0)
    (box,) = farm.boxes()
    worker = farm.join_from(box.id)
    farm.submit(frames="1", renderer="null")
    assert len(farm.sync(worker, want=1).leases) == 1
    return box.id, worker


def test_a_busy_instance_is_drained_before_it_is_ended(rent: Make) -> None:
    farm = rent()
    box, worker = working(farm)
    lease = next(iter(farm.farm.live.leases.values()))
    farm.apply(0, (box,), "nothing more to do")
    farm.sync(worker, running=[Running(lease.task, lease.attempt)])
    farm.pass_time(10.0)

    assert farm.rows()[box].status == "DRAINING" and len(farm.boxes()) == 1
    assert farm.sync(worker, running=[Running(lease.task, lease.attempt)]).drain

    granted = farm.farm.live.leases[lease.task]
    reply = farm.sync(worker, reports=[report(granted)])
    assert [ack.status for ack in reply.acks] == [200]
    farm.pass_time(10.0)
    assert farm.boxes() == []
    farm.pass_time(40.0)
    assert [(row.status, row.reason) for row in farm.rows().values()] == [("GONE", "its worker has finished")]
    assert farm.intents()[0].status == "GONE"


def report(lease: Any) -> Any:
    return Report(lease.task, lease.attempt, lease.secret, "done", seconds=1.0)


def test_money_is_released_when_the_list_has_confirmed_the_end(rent: Make) -> None:
    farm = rent(cloud={"ending_s": 30.0})
    farm.apply(1)
    farm.pass_time(60.0)
    (box,) = farm.boxes()
    farm.apply(0, (box.id,))
    farm.pass_time(20.0)
    assert farm.intents()[0].reserved_usd == pytest.approx(3.66)

    farm.pass_time(60.0)
    (row,) = farm.rows().values()
    assert farm.intents()[0].reserved_usd == 0.0
    assert row.usd == pytest.approx(3.6 * (row.ended_at - row.launched_at) / HOUR_S)
    assert 90.0 <= row.ended_at - row.launched_at <= 120.0


def test_the_worker_of_an_instance_that_is_gone_is_lost_at_once(rent: Make) -> None:
    farm = rent()
    box, worker = working(farm)
    (task,) = farm.farm.live.leases
    farm.cloud.end(box)
    farm.run(farm.launcher.desks[POOL].round(look=True))
    farm.clock.advance(21.0)
    farm.run(farm.launcher.desks[POOL].round(look=True))

    assert worker not in farm.farm.live.workers
    assert task not in farm.farm.live.leases
    assert [(e.worker, e.data["new"]) for e in farm.events("worker.status")] == [(worker, WorkerStatus.LOST)]
    (event,) = farm.events("task.retried")
    assert (event.data["failure"], event.data["message"]) == ("lost", "its machine is gone")


def test_a_pre_empted_instance_is_given_nothing_more_and_costs_no_retries(rent: Make) -> None:
    farm = rent()
    box, worker = working(farm)
    farm.submit(frames="2", renderer="null")
    farm.cloud.preempt(box, after_s=30.0)
    farm.round()

    assert (farm.rows()[box].status, farm.rows()[box].preempted) == ("ENDING", True)
    assert farm.farm.live.workers[worker].drain
    assert farm.sync(worker, want=1).leases == []
    farm.pass_time(20.0)
    assert len(farm.boxes()) == 1  # its worker has the time that the provider gives
    farm.pass_time(50.0)
    assert farm.rows()[box].status == "GONE"
    (event,) = farm.events("task.retried")
    assert (event.data["failure"], event.data["message"]) == ("preempted", "the provider took its machine back")
    assert [event.worker for event in farm.events("instance.preempted")] == [worker]


def test_all_can_be_called_off_even_what_was_not_asked_for_yet(rent: Make) -> None:
    farm = rent()
    farm.apply(1)
    farm.cloud.reachable = False

    async def late() -> None:
        await farm.launcher.apply(POOL, Scaling(POOL, 1, (), ()))
        await farm.launcher.retire_all("enough", at_once=True)
        await farm.launcher.idle()

    farm.run(late())
    farm.cloud.reachable = True
    farm.pass_time(200.0)

    assert {i.status for i in farm.intents()} <= {"GONE", "FAILED"}
    assert farm.boxes() == [] and farm.cloud.launches <= 2


# ---- Orphans -------------------------------------------------------------------------------------------------------


def test_an_instance_that_nobody_ordered_is_ended_within_a_minute(rent: Make) -> None:
    farm = rent()
    farm.cloud.strange("test-farm", POOL)
    farm.cloud.strange("another-farm", POOL)
    farm.pass_time(60.0)

    assert [box.farm for box in farm.cloud.alive()] == ["another-farm"]
    (row,) = farm.rows().values()
    assert (row.reason, row.intent) == ("nobody ordered it", "")
    assert [event.data["reason"] for event in farm.events("instance.stranger")] == ["nobody ordered it"]


def test_a_new_scheduler_looks_for_orphans_at_once(rent: Make) -> None:
    farm = rent()
    farm.cloud.strange("test-farm", POOL)
    farm.restart()
    farm.start()

    assert farm.boxes() == []


def test_what_a_restored_backup_does_not_know_is_ended(rent: Make) -> None:
    """A database from before the launch: the provider's list is the truth about what exists."""
    farm = rent()
    farm.cloud.strange("test-farm", POOL, "an-intent-of-yesterday")
    farm.pass_time(60.0)

    assert farm.boxes() == []
    assert [row.label for row in farm.rows().values()] == ["an-intent-of-yesterday"]


def test_reaping_can_be_switched_off_and_done_by_hand(rent: Make) -> None:
    farm = rent(pool={"reap": False})
    stranger = farm.cloud.strange("test-farm", POOL)
    farm.pass_time(120.0)
    assert len(farm.boxes()) == 1 and farm.rows() == {}
    assert [one.id for one in farm.launcher.desks[POOL].strangers] == [stranger]

    expected = [{"pool": POOL, "instance": stranger, "intent": "", "reason": "nobody ordered it"}]
    assert farm.run(reap_pools(farm.farm, farm.launcher.desks, dry_run=True)) == expected
    assert len(farm.boxes()) == 1
    assert farm.run(reap_pools(farm.farm, farm.launcher.desks, dry_run=False)) == expected
    assert farm.boxes() == []


def test_an_instance_without_a_worker_is_ended(rent: Make) -> None:
    farm = rent(pool={"join_s": 60.0})
    farm.apply(1)
    farm.pass_time(80.0)
    assert len(farm.boxes()) == 1
    farm.pass_time(30.0)

    assert farm.boxes() == []
    assert [row.reason for row in farm.rows().values()] == ["its worker did not join in time"]


def test_a_provider_that_forgets_its_own_limit_is_reminded(rent: Make) -> None:
    farm = rent(pool={"life_s": 120.0, "join_s": 3600.0}, cloud={"limit_late_s": 1e9})
    farm.apply(1)
    farm.pass_time(180.0)

    assert farm.boxes() == []
    assert [row.reason for row in farm.rows().values()] == ["it outlived its term"]


def test_a_worker_whose_machine_is_gone_is_forgotten_but_for_its_costs(rent: Make) -> None:
    farm = rent()
    box, worker = working(farm)
    farm.run(farm.launcher.retire(POOL, [box], "enough", at_once=True))
    farm.pass_time(60.0)
    assert [row["worker"] for row in farm.run(list_workers(farm.farm))] == []
    assert [token["worker"] for token in farm.identity.list_tokens()] == []

    farm.restart()
    assert worker not in farm.farm.live.workers
    with pytest.raises(NotFound, match="not registered"):
        farm.sync(worker, want=1)
    assert farm.run(list_costs(farm.farm, by="pool", job=None, since_s=0.0, limit=9))[0]["name"] == POOL
