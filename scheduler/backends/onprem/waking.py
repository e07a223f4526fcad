"""What has become of the machines that were woken, from what answers now. **Pure.**

A machine belongs to the farm from the moment it is woken until it sleeps, is silent for long, or its hours are over:
then it is its owner's again, and is not put to sleep under him.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from scheduler.backends.base import Instance, InstanceState, Notice, NoticeKind
from scheduler.settings import Machine, OnpremPool


@dataclass(frozen=True, slots=True)
class Woken:
    """A machine that the farm has woken: for which order and when, when it last answered, when it was sent to sleep."""

    machine: str
    intent: str
    woken_at_s: float
    answered_at_s: float | None = None
    sleep_at_s: float | None = None

    @property
    def id(self) -> str:
        """The instance: one waking of one machine."""
        return f"{self.machine}@{self.intent}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who is still the farm's, what the port is told of them, and what happened to those who are not any more."""

    woken: tuple[Woken, ...]
    instances: tuple[Instance, ...]
    notices: tuple[Notice, ...] = field(default=())


def look(
    woken: Iterable[Woken],
    answering: frozenset[str],
    now_s: float,
    settings: OnpremPool,
    may_be_used: Callable[[Machine], bool],
) -> Outcome:
    """Hold what was woken against what answers now."""
    machines = {machine.name: machine for machine in settings.machines}
    kept: list[Woken] = []
    instances: list[Instance] = []
    notices: list[Notice] = []
    for each in woken:
        machine = machines.get(each.machine)
        if machine is None:
            continue
        answers = machine.name in answering
        notice = _lost(each, machine, now_s, settings, answers=answers, usable=may_be_used(machine))
        if notice is not None:
            notices.append(notice)
        elif not _over(each, now_s, settings, answers=answers):
            known = replace(each, answered_at_s=now_s) if answers else each
            kept.append(known)
            instances.append(_instance(known, machine))
    return Outcome(tuple(kept), tuple(instances), tuple(notices))


def _over(each: Woken, now_s: float, settings: OnpremPool, *, answers: bool) -> bool:
    """Has it gone to sleep, as it was told? One that stays awake for long is in somebody's hands."""
    return each.sleep_at_s is not None and (not answers or now_s - each.sleep_at_s > settings.wake_s)


def _lost(
    each: Woken, machine: Machine, now_s: float, settings: OnpremPool, *, answers: bool, usable: bool
) -> Notice | None:
    if each.sleep_at_s is not None:
        return None
    if not usable:
        said = f"The hours of {machine.name} are over; it is its owner's again."
        return Notice(NoticeKind.PREEMPTED, each.intent, each.id, said)
    if answers:
        return None
    if each.answered_at_s is None and now_s - each.woken_at_s > settings.wake_s:
        said = (
            f"{machine.name} did not answer within {settings.wake_s:g} s of being woken; look at wake-on-LAN in its"
            f" firmware, its mac, and whether {machine.address}:{machine.port} answers when it is awake."
        )
        return Notice(NoticeKind.FAILED, each.intent, each.id, said)
    if each.answered_at_s is not None and now_s - each.answered_at_s > settings.lost_s:
        said = f"{machine.name} has been silent for {settings.lost_s:g} s: asleep, switched off, or cut off."
        return Notice(NoticeKind.FAILED, each.intent, each.id, said)
    return None


def _instance(each: Woken, machine: Machine) -> Instance:
    state = InstanceState.STARTING if each.answered_at_s is None else InstanceState.RUNNING
    if each.sleep_at_s is not None:
        state = InstanceState.STOPPING
    return Instance(each.id, each.intent, state, each.woken_at_s, machine.name, "", machine.address)


def choose(
    count: int,
    settings: OnpremPool,
    taken: Iterable[str],
    answering: frozenset[str],
    may_be_used: Callable[[Machine], bool],
) -> tuple[tuple[Machine, ...], str]:
    """The machines to wake for an order, in the order of the settings, and why they are fewer (empty: they are not)."""
    why: dict[str, int] = {}
    free: list[Machine] = []
    ours = frozenset(taken)
    for machine in settings.machines:
        reason = _unfit(machine, ours, answering, may_be_used)
        if reason:
            why[reason] = why.get(reason, 0) + 1
        else:
            free.append(machine)
    chosen = tuple(free[:count])
    if len(chosen) == count:
        return chosen, ""
    return chosen, f"{len(chosen)} of {count} could be woken: {_reasons(why)}."


def _unfit(
    machine: Machine, ours: frozenset[str], answering: frozenset[str], may_be_used: Callable[[Machine], bool]
) -> str:
    if machine.name in ours:
        return "woken already"
    if not may_be_used(machine):
        return "outside of their hours"
    return "awake by themselves" if machine.name in answering else ""


def _reasons(why: Mapping[str, int]) -> str:
    others = [f"{count} {reason}" for reason, count in sorted(why.items())]
    return ", ".join(others) if others else "there are no more"
