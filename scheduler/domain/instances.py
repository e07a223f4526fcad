"""What the farm's record of instances and the provider's list say together: what is new, gone, strange, or must end.

The list is the truth about what exists, the record about what was wanted. Nothing is taken to be gone because one list
leaves it out, and nothing that exists is kept because nobody remembers it. Pure: snapshots in, decisions out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from scheduler.domain.budgeting import LATE_S
from scheduler.domain.instance_states import InstanceEvent, InstanceStatus, IntentEvent, IntentStatus

MISSING_S = 20.0
"""How long an instance must be left out of every list before it is taken to be gone: lists lag behind."""

STALE_INTENT_S = 60.0
"""An intent that nobody acted on for so long is given up: what called for it may have changed."""

WHY_NOBODY, WHY_GIVEN_UP, WHY_SURPLUS = "nobody ordered it", "its launch was given up", "more than was ordered"
WHY_OUTLIVED, WHY_NO_JOIN, WHY_SILENT = (
    "it outlived its term",
    "its worker did not join in time",
    "its worker is silent",
)
WHY_DRAINED, WHY_PROVIDER, WHY_BACK = "its worker has finished", "its provider ends it", "it was taken to be gone"


class Shown(StrEnum):
    """How the provider shows an instance."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class Listed:
    """One instance of the provider's list; `intent` is what its label says."""

    id: str
    intent: str
    shown: Shown
    launched_at_s: float


@dataclass(frozen=True, slots=True)
class Order:
    """An intent as the record has it. `asked_at_s` is when the provider was about to be asked; `expected` instances are
    there, were there, or may yet appear (all that were ordered until `settled`)."""

    id: str
    status: IntentStatus
    count: int
    expected: int
    settled: bool
    created_at_s: float
    asked_at_s: float | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """An instance as the record has it. `seen`: it was in a list at least once, and is not only known from the launch's
    answer. `idle`: its worker holds no lease, or there is none; `silent_s`: how long its worker has not been heard of
    (None: it has none)."""

    id: str
    intent: str
    status: InstanceStatus
    launched_at_s: float
    life_s: float
    running_at_s: float | None = None
    missing_since_s: float | None = None
    worker: str = ""
    seen: bool = True
    idle: bool = True
    silent_s: float | None = None


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a launch of unknown outcome may take to be listed, and a worker to join or to be silent; whether
    instances that nobody wants are ended (`reap`)."""

    lookup_s: float = 120.0
    join_s: float = 900.0
    reap: bool = True


@dataclass(frozen=True, slots=True)
class Turn:
    """An instance moves on. `at_s` is when that happened, as far as is known."""

    id: str
    event: InstanceEvent
    reason: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Stranger:
    """An instance that exists and that nobody wants."""

    id: str
    intent: str
    reason: str
    launched_at_s: float


@dataclass
class Findings:
    """What a list told. `adopted` belong to a living intent and were not in the record yet (id to intent); `strangers`
    belong to none; `absent` are left out of the list since now, `back` are not any more; `seen` are in it."""

    adopted: list[Listed] = field(default_factory=list[Listed])
    strangers: list[Stranger] = field(default_factory=list[Stranger])
    turns: list[Turn] = field(default_factory=list[Turn])
    absent: list[str] = field(default_factory=list[str])
    back: list[str] = field(default_factory=list[str])
    seen: list[str] = field(default_factory=list[str])


ADOPTING = frozenset({IntentStatus.LAUNCHING, IntentStatus.RUNNING, IntentStatus.ENDING})


def compare(
    now_s: float, orders: Mapping[str, Order], known: Mapping[str, Known], listed: Sequence[Listed], patience: Patience
) -> Findings:
    """Hold a list that was asked for at `now_s` against the record."""
    found = Findings()
    claimed = Counter(one.intent for one in known.values())
    for one in sorted(listed, key=lambda one: (one.launched_at_s, one.id)):
        row = known.get(one.id)
        if row is not None:
            _known(now_s, row, one, found)
        elif one.shown is not Shown.GONE:
            why = _unwanted(orders.get(one.intent), claimed)
            if why:
                found.strangers.append(Stranger(one.id, one.intent, why, one.launched_at_s))
            else:
                claimed[one.intent] += 1
                found.adopted.append(one)
    there = {one.id for one in listed}
    for row in known.values():
        if row.id not in there and row.status is not InstanceStatus.GONE:
            _left_out(now_s, row, found, patience)
    over = {turn.id for turn in found.turns if turn.event is not InstanceEvent.RUN}
    for row in known.values():
        if row.id not in over and (why := _must_end(now_s, row, patience)):
            found.turns.append(Turn(row.id, InstanceEvent.END, why, now_s))
    return found


def _unwanted(order: Order | None, claimed: Mapping[str, int]) -> str:
    """Why an instance that is not in the record has no place in it; empty: it has one."""
    if order is None:
        return WHY_NOBODY
    if order.status not in ADOPTING:
        return WHY_GIVEN_UP
    return WHY_SURPLUS if claimed.get(order.id, 0) >= order.expected else ""


def _known(now_s: float, row: Known, one: Listed, found: Findings) -> None:
    if one.shown is Shown.GONE:
        if row.status is not InstanceStatus.GONE:
            found.turns.append(Turn(row.id, InstanceEvent.VANISH, "", row.missing_since_s or now_s))
        return
    found.seen.append(row.id)
    if row.status is InstanceStatus.GONE:
        found.turns.append(Turn(row.id, InstanceEvent.REAPPEAR, WHY_BACK, now_s))
        return
    if row.missing_since_s is not None:
        found.back.append(row.id)
    if one.shown is Shown.STOPPING and row.status is not InstanceStatus.ENDING:
        found.turns.append(Turn(row.id, InstanceEvent.END, WHY_PROVIDER, now_s))
    elif one.shown is Shown.RUNNING and row.status is InstanceStatus.STARTING:
        found.turns.append(Turn(row.id, InstanceEvent.RUN, "", now_s))


def _left_out(now_s: float, row: Known, found: Findings, patience: Patience) -> None:
    if not row.seen and now_s - row.launched_at_s < patience.lookup_s:
        return  # it is so new that lists do not have it yet
    if row.missing_since_s is None:
        found.absent.append(row.id)
    elif now_s - row.missing_since_s >= MISSING_S:
        found.turns.append(Turn(row.id, InstanceEvent.VANISH, "", row.missing_since_s))


def _must_end(now_s: float, row: Known, patience: Patience) -> str:
    """Why an instance must be ended now; empty: it need not."""
    if row.status in (InstanceStatus.ENDING, InstanceStatus.GONE):
        return ""
    if row.status is InstanceStatus.DRAINING and row.idle:
        return WHY_DRAINED
    if not patience.reap:
        return ""
    if now_s - row.launched_at_s >= row.life_s + LATE_S / 2:
        return WHY_OUTLIVED
    if row.status is InstanceStatus.RUNNING:
        since_s = row.running_at_s if row.running_at_s is not None else row.launched_at_s
        if not row.worker and now_s - since_s > patience.join_s:
            return WHY_NO_JOIN
        if row.silent_s is not None and row.silent_s > patience.join_s:
            return WHY_SILENT
    return ""


@dataclass(frozen=True, slots=True)
class OrderTurn:
    """An intent moves on. `expected`: how many instances are counted from now on; None: as before."""

    id: str
    event: IntentEvent | None
    reason: str = ""
    expected: int | None = None
    settled: bool = False


def settle(
    now_s: float, order: Order, instances: Iterable[Known], patience: Patience, *, listed: bool
) -> OrderTurn | None:
    """What becomes of an intent, now that its instances are as they are; None: it stays.

    `listed`: the provider's list was read at `now_s`. Only then can what does not appear be given up.
    """
    mine = [one for one in instances if one.intent == order.id]
    alive = [one for one in mine if one.status is not InstanceStatus.GONE]
    if order.status is IntentStatus.INTENDED:
        stale = now_s - order.created_at_s > STALE_INTENT_S
        return OrderTurn(order.id, IntentEvent.FAIL, "nobody acted on it in time", 0, settled=True) if stale else None
    if order.status is IntentStatus.LAUNCHING and mine:
        return OrderTurn(order.id, IntentEvent.APPEAR, settled=len(mine) >= order.count)
    overdue = listed and order.asked_at_s is not None and now_s - order.asked_at_s > patience.lookup_s
    settles = not order.settled and (len(mine) >= order.count or overdue)
    if order.status is IntentStatus.LAUNCHING:
        none = OrderTurn(order.id, IntentEvent.FAIL, "nothing of it was ever listed", 0, settled=True)
        return none if overdue else None
    settled = order.settled or settles
    if settled and not alive:
        return OrderTurn(order.id, IntentEvent.VANISH, expected=len(mine), settled=True)
    ending = order.status is IntentStatus.RUNNING and settled
    if ending and all(one.status is InstanceStatus.ENDING for one in alive):
        return OrderTurn(order.id, IntentEvent.END, expected=len(mine), settled=True)
    return OrderTurn(order.id, None, expected=len(mine), settled=True) if settles else None
