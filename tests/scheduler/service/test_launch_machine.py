"""Crash at every step: a launcher, a provider and a real store as one state machine, with faults between any two calls.

Instances are launched, retired, taken back, lost sight of; answers get lost, calls are refused, the scheduler dies
before or after any call to the provider or any transaction, and starts again. After every step nothing was launched
twice and no budget is over its cap; and at the end, once the longest life and a minute have passed, nothing is alive.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from memory_cloud import Crash, Plot, peace, refuse_at
from rented_farm import HOUR_S, POOL, RentedFarm

from scheduler.backends.base import Throttled, Unknown
from scheduler.domain.budgeting import LATE_S
from scheduler.domain.instance_states import InstanceStatus, IntentStatus
from scheduler.errors import Denied
from scheduler.service.treasury import Standing, standings

LIFE_S = 600.0
PRICE_USD = 3.6
PROJECTS = ("Alpha", "Beta")
POINTS = tuple(
    f"{call}.{moment}" for call in ("launch", "list", "terminate", "events", "write") for moment in ("before", "after")
)
TOLERANCE_USD = 1e-6
RAM = Path("/dev/shm")


class LaunchMachine(RuleBasedStateMachine):
    """See the module's docstring."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="outfield-launches-", dir=RAM if RAM.is_dir() else None))
        self.farm: RentedFarm | None = None
        self.crashes = 0

    @initialize(
        cap_usd=st.sampled_from([0.5, 2.0, 3.0, 7.0, 1000.0]),
        show_usd=st.sampled_from([0.4, 1.5, 1000.0]),
        listing_delay_s=st.sampled_from([0.0, 15.0, 70.0]),
        ending_s=st.sampled_from([0.0, 20.0]),
        limit_late_s=st.sampled_from([30.0, 1e9]),
        billing_s=st.sampled_from([1.0, 60.0, 3600.0]),
    )
    def begin(self, cap_usd: float, show_usd: float, **cloud: float) -> None:
        billing_s = cloud.pop("billing_s")
        self.farm = RentedFarm(
            self.folder,
            pool={"life_s": LIFE_S, "billing_s": billing_s, "workers_max": 8},
            budgets={
                "farm": {"usd": cap_usd, "period": "day"},
                "Alpha": {"usd": show_usd, "period": "day"},
                "Beta": {"usd": cap_usd, "period": "total"},
            },
            cloud={"price_usd_per_hour": PRICE_USD, **cloud},
            sections={"rules": [{"name": "burst", "when": "true", "allow": [POOL]}]},
        )
        self.watch_writes()
        self.now(self.farm.start)

    def teardown(self) -> None:
        if self.farm is None:
            return
        self.farm.plot = peace
        self.nothing_outlives_its_term()
        self.farm.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- What happens ------------------------------------------------------------------------------------------------

    @rule(count=st.integers(1, 4))
    def instances_are_wanted(self, count: int) -> None:
        self.now(lambda: self.farm.apply(count))

    @rule(project=st.sampled_from(PROJECTS), frames=st.integers(1, 3))
    def work_comes(self, project: str, frames: int) -> None:
        job = {"renderer": "null", "frames": f"1-{frames}", "tracking": {"project": project}}
        self.now(lambda: self.farm.submit(**job))

    @rule(pick=st.integers(0, 10))
    def an_instance_is_retired(self, pick: int) -> None:
        alive = sorted(row.id for row in self.farm.rows().values() if row.status != InstanceStatus.GONE)
        if alive:
            self.now(lambda: self.farm.apply(0, (alive[pick % len(alive)],)))

    @rule(at_once=st.booleans())
    def all_are_retired(self, at_once: bool) -> None:
        self.now(lambda: self.farm.run(self.farm.launcher.retire_all("enough", at_once=at_once)))

    @rule(pick=st.integers(0, 10))
    def an_instance_is_taken_back(self, pick: int) -> None:
        boxes = self.farm.boxes()
        if boxes:
            self.farm.cloud.preempt(boxes[pick % len(boxes)].id, after_s=30.0)

    @rule(pick=st.integers(0, 10))
    def a_worker_joins(self, pick: int) -> None:
        rows = [row for row in self.farm.rows().values() if row.status in ("STARTING", "RUNNING") and not row.worker]
        if rows:
            with contextlib.suppress(Denied):  # too late for its join code
                self.now(lambda: self.farm.join_from(rows[pick % len(rows)].id))

    @rule(stock=st.sampled_from([None, 0, 1, 2]), reachable=st.booleans())
    def the_provider_changes(self, stock: int | None, reachable: bool) -> None:
        self.farm.cloud.stock, self.farm.cloud.reachable = stock, reachable

    @rule(labelled=st.booleans())
    def a_stranger_appears(self, labelled: bool) -> None:
        self.farm.cloud.strange("test-farm", POOL, "an-intent-nobody-knows" if labelled else "")

    @rule(seconds=st.sampled_from([1.0, 10.0, 45.0, 130.0]))
    def time_passes(self, seconds: float) -> None:
        self.now(lambda: self.farm.pass_time(seconds))

    @rule()
    def the_day_ends(self) -> None:
        """All at once, with whatever lives: the day's budgets begin anew."""
        left_s = 86_400.0 - self.farm.farm.now_s() % 86_400.0
        if left_s < LIFE_S:
            self.now(lambda: self.farm.pass_time(left_s + 1.0, step_s=60.0))
        else:
            self.farm.clock.advance(left_s - LIFE_S / 2)
            self.now(self.farm.round)

    @rule(
        point=st.sampled_from(POINTS),
        skip=st.integers(0, 2),
        amid=st.sampled_from(["launch", "launch", "retire", "end", "time", "restart"]),
    )
    def the_scheduler_dies(self, point: str, skip: int, amid: str) -> None:
        self.farm.plot = at(point, Crash(), skip)
        alive = sorted(row.id for row in self.farm.rows().values() if row.status != InstanceStatus.GONE)
        acts: dict[str, Any] = {
            "launch": lambda: self.farm.apply(2),
            "retire": lambda: self.farm.apply(0, tuple(alive[:1])),
            "end": lambda: self.farm.run(self.farm.launcher.retire_all("enough", at_once=True)),
            "time": lambda: self.farm.pass_time(40.0),
            "restart": lambda: self.restart(dying=True),
        }
        self.now(acts[amid])
        self.farm.plot = peace

    @precondition(lambda self: self.farm is not None and self.farm.plot is peace)
    @rule(call=st.sampled_from(["launch", "list", "terminate", "events"]), skip=st.integers(0, 1))
    def an_answer_is_to_get_lost(self, call: str, skip: int) -> None:
        self.farm.plot = at(f"{call}.after", Unknown("no answer"), skip)

    @precondition(lambda self: self.farm is not None and self.farm.plot is peace)
    @rule(call=st.sampled_from(["launch", "list", "terminate"]))
    def a_call_is_to_be_refused(self, call: str) -> None:
        self.farm.plot = refuse_at(f"{call}.before", Throttled)

    @rule()
    def the_scheduler_restarts(self) -> None:
        self.restart()

    # ---- What always holds -------------------------------------------------------------------------------------------

    @invariant()
    def no_budget_is_over_its_cap(self) -> None:
        for standing in self.standings():
            committed = standing.spent_usd + standing.instances.reserved_usd
            strangers = self.strangers_usd() if standing.name == "farm" else 0.0
            assert committed <= standing.usd + strangers + TOLERANCE_USD, (standing.name, committed, standing.usd)

    @invariant()
    def what_the_provider_bills_was_reserved(self) -> None:
        """The provider's own view of what was ordered: no instance costs more than the record holds for it."""
        if self.farm is None:
            return
        held = {i.id: i.reserved_usd for i in self.farm.intents()}
        gone = Counter[str]()
        for row in self.farm.rows().values():
            gone[row.intent] += row.status == InstanceStatus.GONE
        living = Counter(box.intent for box in self.farm.boxes())
        for intent, count in living.items():
            if intent in held and gone[intent] == 0:
                assert held[intent] >= count * PRICE_USD * (LIFE_S + LATE_S) / HOUR_S - TOLERANCE_USD

    @invariant()
    def nothing_is_launched_twice(self) -> None:
        if self.farm is None:
            return
        ordered = {intent.id: intent.count for intent in self.farm.intents()}
        made = Counter(box.intent for box in self.farm.cloud.boxes.values() if box.intent in ordered)
        assert all(count <= ordered[intent] for intent, count in made.items()), (made, ordered)
        assert self.farm.cloud.launches <= len(ordered)

    @invariant()
    def what_has_ended_reserves_nothing(self) -> None:
        for intent in self.farm.intents() if self.farm else []:
            if intent.status in (IntentStatus.GONE, IntentStatus.FAILED):
                assert intent.reserved_usd == 0.0

    # ---- The end -----------------------------------------------------------------------------------------------------

    def nothing_outlives_its_term(self) -> None:
        """Everything is well again; a term and a minute later nothing is alive, and the record knows it, whether the
        provider keeps its own limit or never heard of it."""
        self.farm.cloud.reachable, self.farm.cloud.stock = True, None
        self.restart()
        self.farm.pass_time(LIFE_S + LATE_S)
        assert self.farm.boxes() == []
        self.farm.pass_time(240.0, step_s=30.0)
        assert [row.id for row in self.farm.rows().values() if row.status != InstanceStatus.GONE] == []
        assert {intent.status for intent in self.farm.intents()} <= {IntentStatus.GONE, IntentStatus.FAILED}
        assert sum(standing.instances.reserved_usd for standing in self.standings()) == 0.0

    # ---- The machinery -----------------------------------------------------------------------------------------------

    def now(self, act: Any) -> None:
        """Do something; where the scheduler dies of it, start another one."""
        try:
            act()
        except Crash:
            self.crashes += 1
            self.restart()

    def restart(self, *, dying: bool = False) -> None:
        """Another scheduler starts; `dying`: with the plot still on."""
        while True:
            try:
                if not dying:
                    self.farm.plot = peace
                self.farm.restart()
                self.watch_writes()
                self.farm.start()
            except Crash:
                self.crashes += 1
                dying = False
                continue
            return

    def watch_writes(self) -> None:
        """Let the plot strike before and after each transaction, too."""
        store, farm = self.farm.store, self.farm
        write = store.awrite

        async def watched(change: Any) -> Any:
            farm.plot("write.before")
            done = await write(change)
            farm.plot("write.after")
            return done

        store.awrite = watched

    def standings(self) -> list[Standing]:
        if self.farm is None:
            return []
        with self.farm.store.read() as session:
            return standings(session, self.farm.farm.settings, self.farm.farm.now_s())

    def strangers_usd(self) -> float:
        """What nobody ordered costs all the same: it is counted, though no cap could foresee it."""
        found = [row for row in self.farm.rows().values() if not row.intent]
        return sum(PRICE_USD * 4 for _row in found)


def at(point: str, error: BaseException, skip: int) -> Plot:
    """A plot that strikes once, when the point is passed for the time after `skip`."""
    passed: list[str] = []

    def strike(here: str) -> None:
        if here == point:
            passed.append(here)
            if len(passed) == skip + 1:
                raise error

    return strike


TestLaunches = LaunchMachine.TestCase
TestLaunches.settings = settings(max_examples=15, stateful_step_count=25)
