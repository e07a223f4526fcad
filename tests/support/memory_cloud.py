"""A provider of instances in memory, and the backend that speaks to it.

`MemoryCloud` is the provider: it outlives schedulers, bills nobody, keeps its own limit of an instance's life, and can
be told to be as awkward as real ones: short of stock, slow to list what it has started, slow to end, taking instances
back. `MemoryBackend` is a scheduler's way to it; a `Plot` strikes at the n-th call, before it is made or after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from scheduler.backends.base import (
    BackendError,
    Instance,
    InstanceState,
    LaunchOrder,
    LaunchPlan,
    Notice,
    NoticeKind,
    Offer,
    QuotaExceeded,
    StockOut,
    Unknown,
)
from scheduler.clock import Clock
from scheduler.errors import Unavailable

MACHINE = "memory-8"


class Crash(BaseException):
    """The scheduler's process dies here. No handler of ordinary errors may catch it."""


@dataclass
class Box:
    """One instance as the provider knows it."""

    id: str
    farm: str
    pool: str
    intent: str
    launched_at_s: float
    life_s: float
    shown_at_s: float
    ends_at_s: float | None = None
    """When it is gone, once somebody or something has ended it."""
    labels: dict[str, str] = field(default_factory=dict[str, str])

    def alive(self, now_s: float) -> bool:
        """Whether it exists, and costs."""
        return self.ends_at_s is None or now_s < self.ends_at_s


@dataclass
class MemoryCloud:
    """The provider. Delays are in seconds; `stock` and `quota` are instances that may still be started (None: any)."""

    clock: Clock
    price_usd_per_hour: float = 3.6
    boot_s: float = 30.0
    listing_delay_s: float = 0.0
    ending_s: float = 0.0
    limit_late_s: float = 30.0
    stock: int | None = None
    quota: int | None = None
    reachable: bool = True
    boxes: dict[str, Box] = field(default_factory=dict[str, Box])
    orders: dict[tuple[str, str, str], list[str]] = field(default_factory=dict[tuple[str, str, str], list[str]])
    notices: list[tuple[str, str, Notice]] = field(default_factory=list[tuple[str, str, Notice]])
    scripts: dict[str, str] = field(default_factory=dict[str, str])
    """The start-up script of each instance."""
    launches: int = 0
    """Calls that have started something."""

    def now_s(self) -> float:
        """The provider's clock."""
        return self.clock.now().timestamp()

    def alive(self, *, farm: str | None = None) -> list[Box]:
        """What exists and costs now, of one farm or of all."""
        self.enforce()
        return [box for box in self.boxes.values() if box.alive(self.now_s()) and farm in (None, box.farm)]

    def enforce(self) -> None:
        """The provider's own limit: it ends what has lived too long, a little late, whoever still exists."""
        for box in self.boxes.values():
            limit_s = box.launched_at_s + box.life_s + self.limit_late_s
            box.ends_at_s = limit_s if box.ends_at_s is None else min(box.ends_at_s, limit_s)

    def start(self, farm: str, pool: str, order: LaunchOrder) -> list[Box]:
        """Start what is ordered, once for each intent."""
        known = self.orders.get((farm, pool, order.intent))
        if known is None:
            count = self._count(order.count)
            made = [self._box(farm, pool, order) for _ in range(count)]
            known = self.orders[farm, pool, order.intent] = [box.id for box in made]
            self.launches += 1
            if count < order.count:
                words = f"{order.count - count} of {order.count} could not be started"
                self.notices.append((farm, pool, Notice(NoticeKind.STOCK_OUT, order.intent, message=words)))
        return [self.boxes[box] for box in known]

    def end(self, box_id: str, *, after_s: float | None = None) -> None:
        """Begin to end an instance; it is gone `after_s` from now."""
        box, now_s = self.boxes[box_id], self.now_s()
        gone_s = now_s + (self.ending_s if after_s is None else after_s)
        box.ends_at_s = gone_s if box.ends_at_s is None else min(box.ends_at_s, gone_s)

    def preempt(self, box_id: str, *, after_s: float = 0.0) -> None:
        """The provider takes an instance back, and says so."""
        box = self.boxes[box_id]
        self.end(box_id, after_s=after_s)
        notice = Notice(NoticeKind.PREEMPTED, box.intent, box_id, "taken back")
        self.notices.append((box.farm, box.pool, notice))

    def strange(self, farm: str, pool: str, intent: str = "") -> str:
        """An instance with the farm's label that no order of its database stands behind; returns its id."""
        return self._box(farm, pool, LaunchOrder(intent, 1, "", 3600.0)).id

    def _count(self, wanted: int) -> int:
        if self.quota is not None and self.quota <= 0:
            raise QuotaExceeded("No instance more is allowed.")
        limits = [limit for limit in (self.stock, self.quota) if limit is not None]
        count = min([wanted, *limits])
        if count <= 0:
            raise StockOut("There is no such machine.")
        self.stock = None if self.stock is None else self.stock - count
        self.quota = None if self.quota is None else self.quota - count
        return count

    def _box(self, farm: str, pool: str, order: LaunchOrder) -> Box:
        now_s, number = self.now_s(), len(self.boxes) + 1
        box = Box(f"i-{number:04d}", farm, pool, order.intent, now_s, order.life_s, now_s + self.listing_delay_s,
                  labels=dict(order.labels))  # fmt: skip
        self.boxes[box.id], self.scripts[box.id] = box, order.start_up
        return box


Plot = Callable[[str], None]
"""Told of each point between two steps, as `launch.before` and `launch.after`; may raise instead of returning."""


def peace(_point: str) -> None:
    """No plot: everything goes well."""


@dataclass
class MemoryBackend:
    """A `Backend` on a `MemoryCloud`."""

    cloud: MemoryCloud
    pool: str
    farm: str
    plot: Plot = peace

    def offers(self) -> Sequence[Offer]:
        """One kind of machine."""
        cloud = self.cloud
        return (Offer(MACHINE, 8, 16.0, price_usd_per_hour=cloud.price_usd_per_hour, boot_s=cloud.boot_s),)

    def plan(self, count: int) -> LaunchPlan:
        """What launching would cost."""
        usd = count * self.cloud.price_usd_per_hour
        return LaunchPlan(count, usd, (f"{count} × {MACHINE} at {self.cloud.price_usd_per_hour:g} USD an hour",))

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        """Start what is ordered, once."""
        self._call("launch.before")
        boxes = self.cloud.start(self.farm, self.pool, order)
        self.plot("launch.after")
        return [self._seen(box) for box in boxes]

    def list(self) -> Sequence[Instance]:
        """What carries this farm's and this pool's label, as far as the provider shows it yet."""
        self._call("list.before")
        self.cloud.enforce()
        now_s = self.cloud.now_s()
        found = [
            self._seen(box)
            for box in self.cloud.boxes.values()
            if (box.farm, box.pool) == (self.farm, self.pool) and box.shown_at_s <= now_s and box.alive(now_s)
        ]
        self.plot("list.after")
        return found

    def terminate(self, instances: Sequence[str]) -> None:
        """End them."""
        self._call("terminate.before")
        for instance in instances:
            if instance in self.cloud.boxes:
                self.cloud.end(instance)
        self.plot("terminate.after")

    def events(self) -> Sequence[Notice]:
        """What the provider has to tell, each notice once."""
        self._call("events.before")
        mine = [(f, p, n) for f, p, n in self.cloud.notices if (f, p) == (self.farm, self.pool)]
        self.cloud.notices = [entry for entry in self.cloud.notices if entry not in mine]
        self.plot("events.after")
        return [notice for _farm, _pool, notice in mine]

    def _call(self, point: str) -> None:
        self.plot(point)
        if not self.cloud.reachable:
            raise Unavailable("The provider cannot be reached.")

    def _seen(self, box: Box) -> Instance:
        now_s = self.cloud.now_s()
        ending = box.ends_at_s is not None and box.ends_at_s < box.launched_at_s + box.life_s + self.cloud.limit_late_s
        booted = now_s >= box.launched_at_s + self.cloud.boot_s
        state = InstanceState.RUNNING if booted else InstanceState.STARTING
        if not box.alive(now_s):
            state = InstanceState.GONE
        elif ending:
            state = InstanceState.STOPPING
        return Instance(box.id, box.intent, state, box.launched_at_s, MACHINE, "memory")


def refuse_at(point: str, error: type[BackendError] = BackendError) -> Plot:
    """A plot: the provider refuses at this point, once."""
    return once(point, lambda: error("refused"))


def lose_answer_at(point: str) -> Plot:
    """A plot: nobody can say what came of the call, once."""
    return once(point, lambda: Unknown("no answer"))


def once(point: str, error: Callable[[], BaseException]) -> Plot:
    """A plot that strikes once, at one point."""
    struck: list[str] = []

    def strike(at: str) -> None:
        if at == point and not struck:
            struck.append(at)
            raise error()

    return strike
