"""What a replay leaves behind: the fate of every job, the use of every pool, and curves over time. Plain data."""

from __future__ import annotations

from dataclasses import dataclass, field


class Curve:
    """A step function of time, kept as its mean in bins of equal width; `total` is its integral."""

    __slots__ = ("_at_s", "_bin_s", "sums", "total", "value")

    def __init__(self, bin_s: float) -> None:
        self._bin_s, self._at_s = bin_s, 0.0
        self.value = 0.0
        self.total = 0.0
        self.sums: list[float] = []

    def add(self, now_s: float, delta: float) -> None:
        """The value changes by `delta` now."""
        self.reach(now_s)
        self.value += delta

    def reach(self, now_s: float) -> None:
        """The value has stayed as it is until now."""
        at_s, value = self._at_s, self.value
        if now_s <= at_s:
            return
        self._at_s = now_s
        if not value:
            return
        self.total += value * (now_s - at_s)
        bin_s, sums = self._bin_s, self.sums
        first, last = int(at_s / bin_s), int(now_s / bin_s)
        if last >= len(sums):
            sums.extend([0.0] * (last + 1 - len(sums)))
        if first == last:
            sums[first] += value * (now_s - at_s)
            return
        sums[first] += value * ((first + 1) * bin_s - at_s)
        for index in range(first + 1, last):
            sums[index] += value * bin_s
        sums[last] += value * (now_s - last * bin_s)

    def means(self, bins: int) -> list[float]:
        """The mean value in each of the first `bins` bins."""
        known = [total / self._bin_s for total in self.sums[:bins]]
        return known + [0.0] * (bins - len(known))


@dataclass(slots=True)
class JobOutcome:
    """What became of a job. Times in seconds since second 0; None: it never came to that.

    `status` is SUCCEEDED, FAILED, CANCELED, or WAITING for a job that nothing could ever take. `deadline_s` is the one
    that held at the end. `slot_s` is the time its tasks held slots, `wasted_s` the part that had to be done again.
    `shares` are the tasks and the hours of whole machines by pool, where they are asked for.
    """

    job: str
    project: str
    owner: str
    shot: str
    submitted_s: float
    deadline_s: float | None
    tasks: int
    status: str = "WAITING"
    started_s: float | None = None
    ended_s: float | None = None
    slot_s: float = 0.0
    wasted_s: float = 0.0
    usd: float = 0.0
    shares: dict[str, list[float]] = field(default_factory=dict[str, list[float]])

    @property
    def late_s(self) -> float | None:
        """How late it ended; negative: in good time. None: no deadline, canceled, or never ended."""
        if self.deadline_s is None or self.ended_s is None or self.status != "SUCCEEDED":
            return None
        return self.ended_s - self.deadline_s

    @property
    def missed(self) -> bool:
        """Whether there was a deadline, and it was not met. A canceled job has missed nothing."""
        if self.deadline_s is None or self.status == "CANCELED":
            return False
        late_s = self.late_s
        return late_s is None or late_s > 0


@dataclass(frozen=True, slots=True)
class PoolOutcome:
    """What a pool gave: slot-seconds that were used and that were there, worker time and its price.

    `launched` workers came on demand; the provider took `lost` of them back.
    """

    pool: str
    busy_slot_s: float
    slot_s: float
    worker_s: float
    usd: float
    workers_peak: int
    launched: int = 0
    lost: int = 0

    @property
    def utilisation(self) -> float:
        """Part of the slots' time that was used; 0 where there was none."""
        return self.busy_slot_s / self.slot_s if self.slot_s > 0 else 0.0


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """One lease as it was granted."""

    at_s: float
    job: str
    step: int
    seq: int
    attempt: int
    worker: str


@dataclass
class Outcome:
    """One replay of one variant. `running` and `waiting` are curves of tasks by project, `busy` of slots by pool."""

    variant: str
    ended_s: float
    jobs: list[JobOutcome]
    pools: list[PoolOutcome]
    bin_s: float
    running: dict[str, list[float]] = field(default_factory=dict)
    waiting: dict[str, list[float]] = field(default_factory=dict)
    busy: dict[str, list[float]] = field(default_factory=dict)
    leases: list[LeaseRecord] = field(default_factory=list)
    started: list[str] = field(default_factory=list)
    """Jobs in the order of their first leases."""
    plans: int = 0
    tasks_done: int = 0

    @property
    def usd(self) -> float:
        """Money for all pools."""
        return sum(pool.usd for pool in self.pools)
