"""The words of autoscaling: what it looks at, and what it decides. Plain data, no behaviour but sums.

`decide` (in `resizing`) takes a `Ground`, a snapshot of the farm at one moment, and gives a `Decision`. Policies stand
in `fixed_sizes` (static, twostate), `demand_sizes` and `bursting` (deadline, which asks `overflowing`); what a rented
machine gives and costs in `renting`. Launching and ending instances is somebody else's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Scaling:
    """What to do about one pool: how many instances to launch, which to end, and why, in sentences.

    `retire` names instances that had nothing to do: they shall take nothing new and go. One of `launch` and `retire`
    is always empty.
    """

    pool: str
    launch: int = 0
    retire: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()


class Policy(StrEnum):
    """How the number of a pool's workers follows the work."""

    NONE = "none"
    """Not at all: nothing is launched or ended."""
    STATIC = "static"
    """The same number, always."""
    TWOSTATE = "twostate"
    """One of two numbers, by whether the pool was in use lately."""
    DEMAND = "demand"
    """As many as the ready tasks that are routed there can use."""
    DEADLINE = "deadline"
    """As few and as late as will do for what cannot make its date at home."""


class Phase(StrEnum):
    """Where an instance stands, as far as scaling is concerned."""

    STARTING = "starting"
    """Ordered; its worker has not asked for work yet."""
    RUNNING = "running"
    RETIRING = "retiring"
    """On its way out: it takes nothing new and is not counted."""


@dataclass(frozen=True, slots=True)
class InstanceView:
    """One instance. `idle_since_s` is None while its worker has something to do, or is not there yet."""

    id: str
    phase: Phase
    launched_at_s: float
    idle_since_s: float | None = None
    worker: str = ""


@dataclass(frozen=True, slots=True)
class PoolView:
    """A pool with its terms: what one instance is and costs, the bounds, and what was done about it last.

    `slots` and `power` are those of one instance: tasks at a time, and the rating of a slot. `loss_per_hour` is the
    chance that the provider takes an instance back within an hour, `transfer_s` the time until a new one has its first
    scene. `size` is what `static` keeps and `twostate` goes up to, `low` what it goes down to, `window_s` how long it
    calls a pool in use. `haste`, `caution`, `margin_tasks` and `grace_s` are those of `deadline`. `budget_usd` is what
    may still be reserved for this pool (None: no bound), `reserve_usd` what one launch reserves. `grown_at_s`,
    `shrunk_at_s` and `used_at_s` are moments on the clock of `Ground.now_s`.
    """

    name: str
    policy: Policy
    instances: tuple[InstanceView, ...] = ()
    slots: int = 1
    power: float = 1.0
    price_usd_per_hour: float = 0.0
    workers_min: int = 0
    workers_max: int = 0
    size: int | None = None
    low: int = 1
    window_s: float = 600.0
    boot_s: float = 90.0
    transfer_s: float = 0.0
    billing_s: float = 1.0
    loss_per_hour: float = 0.0
    idle_s: float = 300.0
    settle_s: float = 120.0
    haste: float = 0.1
    caution: float = 1.0
    margin_tasks: float = 25.0
    grace_s: float = 4 * 3600.0
    budget_usd: float | None = None
    reserve_usd: float = 0.0
    grown_at_s: float | None = None
    shrunk_at_s: float | None = None
    used_at_s: float | None = None

    @property
    def full_size(self) -> int:
        """What `static` keeps: `size`, or all that there may be."""
        return self.workers_max if self.size is None else min(self.size, self.workers_max)

    @property
    def present(self) -> int:
        """Instances that are there or on their way, and stay."""
        return sum(1 for instance in self.instances if instance.phase is not Phase.RETIRING)

    @property
    def busy(self) -> int:
        """Instances whose worker has something to do."""
        return sum(1 for one in self.instances if one.phase is Phase.RUNNING and one.idle_since_s is None)

    @property
    def retiring(self) -> int:
        """Instances that are on their way out, and may still cost."""
        return len(self.instances) - self.present


@dataclass(frozen=True, slots=True)
class Work:
    """What is left of a job, as scaling sees it. Seconds of work are those of the reference machine.

    `pools` are the pools that can grow where its routes allow it and an instance would fit. `ready` tasks could be
    leased now and take `ready_s` together; `left` are all that nobody has begun, `left_s` together, `task_s` is what
    one takes. `home` says whether it may run on machines that are there anyhow; `home_finish_s` to `home_high_s` is
    when all of it would be done if every job stayed at home, as foretold (None: never), `home_power` the power of the
    slots that this assumes. `name` is for people. `rooms` bounds its tasks in pools where the job's cost cap does.
    """

    job: int
    pools: tuple[str, ...]
    ready: int = 0
    ready_s: float = 0.0
    left: int = 0
    left_s: float = 0.0
    task_s: float = 60.0
    home: bool = True
    deadline_s: float | None = None
    home_finish_s: float | None = None
    home_high_s: float | None = None
    home_power: float = 0.0
    name: str = ""
    rooms: Mapping[str, int] = field(default_factory=dict[str, int])

    def elsewhere_s(self, pools: Iterable[str]) -> float:
        """How much of the work that is left may be done in the one of these pools that may take most of it."""
        tasks = max([self.rooms.get(pool, self.left) for pool in pools], default=0)
        return self.left_s if tasks >= self.left else tasks * self.task_s


@dataclass(frozen=True)
class Ground:
    """The farm at `now_s`: pools, the work in rank order, slots that stand free at home, and money that is left.

    `budget_usd` bounds all pools together; None: no bound. `covered` are the jobs for which pools were grown before.
    """

    now_s: float
    pools: tuple[PoolView, ...] = ()
    work: tuple[Work, ...] = ()
    free_slots: float = 0.0
    budget_usd: float | None = None
    covered: Mapping[int, str] = field(default_factory=dict[int, str])


class Stage(StrEnum):
    """What becomes of a job that would be late."""

    BURSTING = "bursting"
    """Machines are launched or kept for it, and its tasks may run there."""
    LATER = "later"
    """It is early enough to launch later; perhaps it will not be needed."""
    HOPELESS = "hopeless"
    """No pool could end it in time, or near it: no money is spent."""


@dataclass(frozen=True, slots=True)
class Cover:
    """A job that cannot make its date at home, the one pool that covers it, and the work that it takes over.

    `work_s` is what home cannot do in time, on the reference machine; `starts_s` when machines are launched for it.
    """

    job: int
    pool: str
    stage: Stage
    work_s: float
    starts_s: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class Want:
    """How many instances a policy wants of a pool, and why."""

    count: int
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """One `Scaling` and one `Want` for each pool that is scaled, in the order of the ground, and what is covered."""

    scalings: tuple[Scaling, ...] = ()
    wants: Mapping[str, Want] = field(default_factory=dict[str, Want])
    covers: tuple[Cover, ...] = ()

    @property
    def covered(self) -> dict[int, str]:
        """The jobs that machines are rented for, with their pools, in the order in which they are served."""
        return {cover.job: cover.pool for cover in self.covers if cover.stage is Stage.BURSTING}

    def reserved(self, pools: Iterable[PoolView]) -> dict[str, dict[int, int]]:
        """By pool that is grown by dates, of these: the jobs that its instances are kept for, with their turns."""
        covered = self.covered
        return {
            pool.name: {job: turn for turn, (job, name) in enumerate(covered.items()) if name == pool.name}
            for pool in pools
            if pool.policy is Policy.DEADLINE
        }
