"""The workers that are here as groups of slots that are alike, for the forecast: which steps may use which of them.

Workers are alike when the same kinds of work fit them and their ratings are close. Pure functions over a snapshot.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from scheduler.domain.slots import SlotGroup
from scheduler.routing.machines import Machine, Needs, Room, shortfall, tasks_that_fit

RATING_STEP = 1.5
"""Ratings within this factor of one another make one group, with their mean as its power."""

RATING_MIN = 0.01
"""Slower machines are taken to be this fast: a rating is a divisor."""


@dataclass(frozen=True, slots=True)
class Host:
    """A worker that takes work."""

    worker: str
    pool: str
    machine: Machine
    slots: int
    rating: float = 1.0


@dataclass(frozen=True)
class Asked:
    """What a step asks for: its needs, and the pools where it may go."""

    needs: Needs
    pools: tuple[str, ...]


@dataclass(frozen=True)
class Fleet:
    """Groups of slots by name, the group of each worker, and what each request may use. `places` are the pool of each
    group and the slots that one of its workers has on average."""

    groups: Mapping[str, SlotGroup]
    group_of: Mapping[str, str]
    usable: Mapping[Asked, tuple[str, ...]]
    width: Mapping[Needs, float]
    places: Mapping[str, tuple[str, float]] = field(default_factory=dict[str, tuple[str, float]])

    def power(self, group: str) -> float:
        """The rating of a group's slots; of a group that is not there, the reference machine's."""
        found = self.groups.get(group)
        return found.power if found else 1.0


def muster(hosts: Iterable[Host], asked: Iterable[Asked]) -> Fleet:
    """Group the workers by what of all that is asked for they could take."""
    requests = list(dict.fromkeys(asked))
    needs = list(dict.fromkeys(request.needs for request in requests))
    fits: dict[tuple[Any, ...], tuple[bool, ...]] = {}
    members: dict[tuple[str, tuple[bool, ...], int], list[Host]] = defaultdict(list)
    for host in hosts:
        kind = _kind_of(host.machine)
        found = fits.get(kind)
        if found is None:
            found = fits[kind] = tuple(not shortfall(need, host.machine) for need in needs)
        members[host.pool, found, _rating_class(host.rating)].append(host)
    names = {key: f"{key[0]} {number}" for number, key in enumerate(sorted(members, key=str))}
    groups = {names[key]: _group(found) for key, found in members.items()}
    usable = {
        request: tuple(names[key] for key in members if key[0] in request.pools and key[1][needs.index(request.needs)])
        for request in requests
    }
    return Fleet(
        groups=groups,
        group_of={host.worker: names[key] for key, found in members.items() for host in found},
        usable=usable,
        width={
            need: _width(need, [host for key, found in members.items() if key[1][i] for host in found])
            for i, need in enumerate(needs)
        },
        places={names[key]: (key[0], sum(h.slots for h in found) / len(found)) for key, found in members.items()},
    )


def _kind_of(machine: Machine) -> tuple[Any, ...]:
    """What two machines of one kind have in common; no two have exactly the same memory."""
    renderers = tuple(sorted(machine.renderers.items()))
    return machine.vcpus, round(machine.memory_gib), machine.gpus, machine.tags, renderers


def _rating_class(rating: float) -> int:
    return round(math.log(max(rating, RATING_MIN)) / math.log(RATING_STEP))


def _group(hosts: list[Host]) -> SlotGroup:
    slots = sum(host.slots for host in hosts)
    power = sum(host.slots * max(host.rating, RATING_MIN) for host in hosts)
    return SlotGroup(float(slots), power / slots if slots else 1.0)


def _width(needs: Needs, hosts: list[Host]) -> float:
    """How many slots one task occupies: more than one where it needs several cores or much memory."""
    slots = sum(host.slots for host in hosts)
    tasks = sum(
        tasks_that_fit(needs, Room(host.machine.vcpus, host.machine.memory_gib, host.machine.gpus), want=host.slots)
        for host in hosts
    )
    return slots / tasks if tasks else 1.0
