"""The machines of a replay: workers that join and leave, pools that grow on demand, what they cost.

Workers of one pool with equal machines are one `Kind`: whether a step fits is asked once per kind, not once per worker.
This module counts slots, room and money; who gets which task is decided in `handing_out`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from scheduler.protocol.traces import MachineSpec, PoolSpec
from scheduler.routing.caps import CapKey
from scheduler.routing.machines import Machine, Needs, Room, shortfall, tasks_that_fit
from scheduler.routing.route import HOME_POOL, Pool
from scheduler.simulation.outcome import Curve, PoolOutcome
from scheduler.simulation.queueing import JobRun, StepRun
from scheduler.simulation.traces import Trace
from scheduler.simulation.workload import machine_of

HOUR_S = 3600.0
LIFE_S = 6 * HOUR_S
"""Longest life of a launched worker where a budget is set and its pool does not say."""


def paid_s(lived_s: float, unit_s: float) -> float:
    """What is paid for of a life: whole units. A billionth of one is a rounding error of the virtual clock."""
    return math.ceil(lived_s / unit_s - 1e-9) * unit_s


class SimLease:
    """One attempt at one task. `alive` is false once it has ended, whatever the end was."""

    __slots__ = ("alive", "attempt", "caps", "seq", "started_s", "step", "worker")

    def __init__(self, step: StepRun, seq: int, worker: SimWorker, started_s: float, attempt: int) -> None:
        self.step, self.seq, self.worker, self.started_s, self.attempt = step, seq, worker, started_s, attempt
        self.alive = True
        self.caps: tuple[CapKey, ...] = ()

    @property
    def name(self) -> str:
        """The attempt, whatever the variant."""
        return f"{self.step.job.outcome.job}:{self.step.index}:{self.seq}:{self.attempt}"


class SimWorker:
    """A worker at this moment: its free slots, the room left beside them, its leases."""

    __slots__ = (
        "free",
        "gpus",
        "idle_since_s",
        "joined_s",
        "kind",
        "launched_s",
        "leases",
        "memory_gib",
        "name",
        "on_demand",
        "vcpus",
    )

    def __init__(self, name: str, kind: Kind, now_s: float, *, launched_s: float | None) -> None:
        self.name, self.kind, self.launched_s = name, kind, launched_s
        self.on_demand = launched_s is not None
        machine = kind.machine
        self.free, self.vcpus, self.memory_gib, self.gpus = kind.slots, machine.vcpus, machine.memory_gib, machine.gpus
        self.joined_s = self.idle_since_s = now_s
        self.leases: dict[SimLease, None] = {}

    def fits(self, needs: Needs) -> int:
        """How many tasks with these needs it can take now."""
        if needs.vcpus <= 1 and not needs.memory_gib and not needs.gpus:
            return self.free
        return tasks_that_fit(needs, Room(self.vcpus, self.memory_gib, self.gpus), want=self.free)

    def hold(self, lease: SimLease, needs: Needs) -> None:
        """A task begins here."""
        self._room(needs, -1)
        self.leases[lease] = None
        if not self.free:
            self.kind.open.pop(self, None)

    def let_go(self, lease: SimLease, needs: Needs) -> None:
        """A task has ended here."""
        self._room(needs, 1)
        del self.leases[lease]
        self.kind.open[self] = None

    def _room(self, needs: Needs, sign: int) -> None:
        self.free += sign
        if needs.vcpus > 1:
            self.vcpus += sign * needs.vcpus
        self.memory_gib += sign * needs.memory_gib
        self.gpus += sign * needs.gpus


class Kind:
    """Workers of one pool with equal machines: `open` those with a free slot, `queue` what they may take, in order."""

    def __init__(self, pool: str, machine: Machine, spec: MachineSpec) -> None:
        self.pool, self.machine, self.slots, self.rating = pool, machine, spec.slots, spec.rating
        self.workers = 0
        self.open: dict[SimWorker, None] = {}
        self.queue: list[StepRun] | None = None
        self.cursor = 0
        self._fits: dict[Needs, bool] = {}

    def can_take(self, needs: Needs) -> bool:
        """Whether an idle machine of this kind could."""
        found = self._fits.get(needs)
        if found is None:
            found = self._fits[needs] = not shortfall(needs, self.machine)
        return found


@dataclass
class SimPool:
    """A pool at this moment; curves count slots and workers."""

    spec: PoolSpec
    busy: Curve
    there: Curve
    up: Curve
    kinds: list[Kind] = field(default_factory=list[Kind])
    members: dict[SimWorker, None] = field(default_factory=dict[SimWorker, None])
    booting: dict[str, float] = field(default_factory=dict[str, float])
    """Workers on their way, by the moment of their launch."""
    launched: int = 0
    lost: int = 0
    peak: int = 0
    begun_s: float = 0.0
    """Worker time that is paid for only because a unit of it had begun."""

    @property
    def workers(self) -> int:
        """Workers that are up."""
        return len(self.members)

    @property
    def machine(self) -> MachineSpec:
        """What workers that are launched are like."""
        return self.spec.machine or MachineSpec()

    @property
    def rented(self) -> bool:
        """Whether workers are launched here."""
        return self.spec.workers_max > 0 and self.spec.autoscale != "none"

    def launch(self, now_s: float) -> str:
        """A worker is on its way, and costs from now on; returns its name."""
        self.launched += 1
        name = f"{self.spec.name}-{self.launched}"
        self.booting[name] = now_s
        self.up.add(now_s, 1)
        return name

    def gone(self, launched_s: float, now_s: float) -> None:
        """A launched worker costs nothing more; the unit that has begun is paid for."""
        self.up.add(now_s, -1)
        lived_s = now_s - launched_s
        self.begun_s += paid_s(lived_s, self.spec.billing_s) - lived_s

    def usd(self, now_s: float) -> float:
        """What the pool has cost until now, with the units that have begun."""
        self.up.reach(now_s)
        unit_s, since = self.spec.billing_s, [w.launched_s for w in self.members if w.launched_s is not None]
        lived = (now_s - launched_s for launched_s in (*since, *self.booting.values()))
        open_s = sum(paid_s(lived_s, unit_s) - lived_s for lived_s in lived)
        return (self.up.total + self.begun_s + open_s) / HOUR_S * self.spec.price_usd_per_hour


class Fleet:
    """All pools. The studio's own comes first, then the others by price: who is asked first takes the best."""

    def __init__(self, trace: Trace, renderers: Iterable[str], bin_s: float) -> None:
        self._renderers = tuple(sorted(renderers))
        specs = {HOME_POOL: PoolSpec(HOME_POOL)} | {spec.name: spec for spec in trace.farm.pools}
        ordered = sorted(specs.values(), key=lambda s: (s.name != HOME_POOL, s.price_usd_per_hour, s.name))
        self.pools = {spec.name: SimPool(spec, Curve(bin_s), Curve(bin_s), Curve(bin_s)) for spec in ordered}
        self._kinds: dict[tuple[str, bytes], Kind] = {}

    @property
    def kinds(self) -> list[Kind]:
        """Every kind, in the order in which they are asked."""
        return [kind for pool in self.pools.values() for kind in pool.kinds]

    def kind(self, pool: str, spec: MachineSpec) -> Kind:
        """The kind of such machines, made when it is first asked for."""
        key = (pool, msgspec.json.encode(spec))
        found = self._kinds.get(key)
        if found is None:
            machine = machine_of(spec, f"{pool}-{len(self._kinds)}", self._renderers, self.pools[pool].spec.tags)
            found = self._kinds[key] = Kind(pool, machine, spec)
            self.pools[pool].kinds.append(found)
        return found

    def join(self, name: str, kind: Kind, now_s: float, *, launched_s: float | None = None) -> SimWorker:
        """A worker is there; `launched_s` is when it was launched, if it was."""
        pool = self.pools[kind.pool]
        worker = SimWorker(name, kind, now_s, launched_s=launched_s)
        kind.workers += 1
        kind.open[worker] = pool.members[worker] = None
        pool.there.add(now_s, kind.slots)
        if launched_s is None:
            pool.up.add(now_s, 1)  # one that was launched costs since then
        pool.peak = max(pool.peak, pool.workers)
        return worker

    def leave(self, worker: SimWorker, now_s: float) -> None:
        """A worker is gone; its leases were ended before."""
        pool = self.pools[worker.kind.pool]
        worker.kind.workers -= 1
        worker.kind.open.pop(worker, None)
        pool.members.pop(worker, None)
        pool.there.add(now_s, -worker.kind.slots)
        if worker.launched_s is None:
            pool.up.add(now_s, -1)
        else:
            pool.gone(worker.launched_s, now_s)

    def rented(self) -> list[SimPool]:
        """The pools that workers are launched in."""
        return [pool for pool in self.pools.values() if pool.rented]

    def home_kinds(self) -> list[Kind]:
        """The kinds of workers that are there anyhow, in pools that do not grow."""
        return [kind for pool in self.pools.values() if not pool.rented for kind in pool.kinds if kind.workers]

    def leases_of(self, job: JobRun) -> list[SimLease]:
        """What runs of a job."""
        workers = (worker for pool in self.pools.values() for worker in pool.members)
        return [lease for worker in workers for lease in worker.leases if lease.step.job is job]

    def fitting(self, needs: Needs) -> list[SimWorker]:
        """The workers whose machines could take such a task, if they were idle."""
        return [w for pool in self.pools.values() for w in pool.members if w.kind.can_take(needs)]

    def slot_counts(self) -> dict[str, int]:
        """Slots of each pool."""
        return {name: int(pool.there.value) for name, pool in self.pools.items()}

    def routed(self) -> tuple[Pool, ...]:
        """The pools as routing sees them, with one machine for each kind that is there."""
        return tuple(
            Pool(
                pool.spec.name,
                tuple(kind.machine for kind in pool.kinds if kind.workers),
                pool.spec.backend or pool.spec.name,
                pool.spec.price_usd_per_hour,
                pool.spec.workers_max or None,
                pool.spec.tags,
                offer=self.kind(pool.spec.name, pool.machine).machine if pool.rented else None,
            )
            for pool in self.pools.values()
        )

    def slots(self) -> dict[str, float]:
        """Slots of each pool, weighted by power."""
        return {
            name: sum(kind.workers * kind.slots * kind.rating for kind in pool.kinds)
            for name, pool in self.pools.items()
        }

    def outcomes(self, ended_s: float, now_s: float) -> list[PoolOutcome]:
        """What each pool gave until work ended; launched workers cost until now."""
        return [_outcome(pool, now_s if pool.rented else ended_s) for pool in self.pools.values()]


def _outcome(pool: SimPool, now_s: float) -> PoolOutcome:
    for curve in (pool.busy, pool.there, pool.up):
        curve.reach(now_s)
    return PoolOutcome(
        pool.spec.name,
        pool.busy.total,
        pool.there.total,
        pool.up.total,
        pool.usd(now_s),
        pool.peak,
        pool.launched,
        pool.lost,
    )
