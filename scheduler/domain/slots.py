"""Slots by when they become free, and tasks laid onto them: the inner loop of the fast forward.

Owns the arithmetic of one group of slots; what is placed, and in which order, is `domain.forecasting`'s.
"""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import mul
from statistics import NormalDist
from typing import NamedTuple

STEPS_PER_E = 40.0
"""Entries per factor e of time: slots that become free within 2.5 % of one another are one entry."""

UNIT_SHARE = 0.05
"""Times shorter than this share of a typical task are not told apart as finely."""

NOTHING = 1e-9
"""Less than this of a slot is a rounding error."""

BULK_WAVES = 3.0
"""So many tasks for each slot, and the waves before the last ones are laid all at once."""

ALIKE = 0.2
"""Part of the doubt that jobs ahead have in common: if one was taken too lightly, others were too."""

_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True)
class SlotGroup:
    """Slots of workers that are alike: how many, and the rating of each (1.0: the reference machine)."""

    count: float
    power: float = 1.0


class Placed(NamedTuple):
    """Where a step's tasks went: when the first and the last of them starts, when all have ended. Seconds from now."""

    start_s: float
    last_s: float
    finish_s: float


def time_unit_s(task_s: Sequence[float], counts: Sequence[int]) -> float:
    """The resolution in which a queue's times are told apart, from what its tasks take and how many they are."""
    seconds = sum(map(mul, task_s, counts))
    return seconds / sum(counts) * UNIT_SHARE if seconds > 0 else 1.0


class Lanes:
    """The slots of one group, and the work that was laid onto them."""

    __slots__ = ("_entries", "_keys", "_unit_s", "_work", "_worry", "_worry_squared", "laid", "name", "power", "slots")

    def __init__(self, group: SlotGroup, unit_s: float, name: str = "") -> None:
        self.name, self.power = name, group.power
        self.laid = 0.0  # tasks that were laid here where a step had a choice
        self.slots = group.count
        self._unit_s = unit_s
        self._keys: list[int] = []
        self._entries: dict[int, list[float]] = {}  # key → [slots, the sum of their times]
        self._work = self._worry = self._worry_squared = 0.0
        self.add(0.0, group.count)

    @property
    def free_s(self) -> float:
        """When the first slot becomes free."""
        slots, total = self._entries[self._keys[0]]
        return total / slots

    @property
    def first_slots(self) -> float:
        """How many slots become free first."""
        return self._entries[self._keys[0]][0]

    def add(self, free_s: float, slots: float) -> None:
        """So many slots become free then."""
        key = int(math.log1p(free_s / self._unit_s) * STEPS_PER_E)
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = [slots, slots * free_s]
            heapq.heappush(self._keys, key)
        else:
            entry[0] += slots
            entry[1] += slots * free_s

    def take(self, most: float) -> tuple[float, float]:
        """The first free slots, at most so many: when they are free, and how many they are."""
        entry = self._entries[self._keys[0]]
        slots, total = entry
        free_s = total / slots
        if slots > most:
            entry[0] = slots - most
            entry[1] = free_s * entry[0]
            return free_s, most
        del self._entries[heapq.heappop(self._keys)]
        return free_s, slots

    def occupy(self, slots: float, seconds: float) -> None:
        """A running task holds slots for so long. More than there are share the last ones."""
        free_s, taken = self.take(slots)
        self.add(free_s + seconds, taken)

    def shift(self, seconds: float, not_before_s: float) -> None:
        """Every slot is busy for so much longer."""
        entries = list(self._entries.values())
        self._keys.clear()
        self._entries.clear()
        for slots, total in entries:
            self.add(max(total / slots, not_before_s) + seconds, slots)

    def room_until_level(self, not_before_s: float) -> tuple[float, float]:
        """Seconds of reference work that fit in until all slots are free at the same time, and that time."""
        times = [(max(total / slots, not_before_s), slots) for slots, total in self._entries.values()]
        last = max(free_s for free_s, _slots in times)
        return sum((last - free_s) * slots for free_s, slots in times) * self.power, last

    def book(self, work_s: float, doubt: float) -> float:
        """Work that later jobs wait for, with the log-sd of how little is known of it.

        Returns the relative standard deviation of all that was booked before; jobs share the part ALIKE of their doubt.
        """
        before, worry = self._work, work_s * doubt
        relative = 0.0
        if before > 0:
            shared = ALIKE * self._worry * self._worry
            relative = math.sqrt((1 - ALIKE) * self._worry_squared + shared) / before
        self._work = before + work_s
        self._worry += worry
        self._worry_squared += worry * worry
        return relative

    def begin(self, tasks: float, task_s: float, not_before_s: float) -> float:
        """Fewer tasks than the slots that are free first start there; returns when."""
        entry = self._entries[self._keys[0]]
        slots, total = entry
        free_s = total / slots
        entry[0] = slots - tasks
        entry[1] = free_s * entry[0]
        begins = max(not_before_s, free_s)
        self.add(begins + task_s / self.power, tasks)
        return begins


def place(usable: Sequence[Lanes], tasks: float, task_s: float, *, not_before_s: float, spread: float) -> Placed:
    """Lay tasks of `task_s` (on the reference machine) onto the slots that become free first.

    The end is that of the longest of the tasks that start at about the same time: of many, one takes long.
    """
    if len(usable) == 1 and usable[0].first_slots > tasks:
        # The usual case, without a loop: all of them start at once.
        begins = usable[0].begin(tasks, task_s, not_before_s)
        return Placed(begins, begins, begins + longest_s(task_s, spread, tasks) / usable[0].power)
    left = tasks
    if tasks > BULK_WAVES * sum([lane.slots for lane in usable]):
        left -= _lay_waves(usable, tasks, task_s, not_before_s)
    window = task_s * spread
    start = finish = -1.0
    begins = together = 0.0
    lane = usable[0]
    recent: deque[tuple[float, float]] = deque()
    while left > NOTHING:
        if len(usable) > 1:
            lane = min(usable, key=_free_s)
        free_s, taken = lane.take(left)
        lane.laid += taken
        begins = max(not_before_s, free_s)
        lane.add(begins + task_s / lane.power, taken)
        left -= taken
        if start < 0:
            start = begins
        recent.append((begins, taken))
        together += taken
        while recent[0][0] < begins - window:
            together -= recent.popleft()[1]
        ends = begins + longest_s(task_s, spread, together) / lane.power
        finish = max(finish, ends)
    return Placed(start, begins, finish)


def longest_s(task_s: float, spread: float, tasks: float) -> float:
    """Seconds until the last of so many tasks ends that start together, expected; `task_s` is their average."""
    above = spread * (longest_of(int(tasks + 0.5)) - spread / 2)
    return task_s * math.exp(above) if above > 0 else task_s


def _free_s(lane: Lanes) -> float:
    return lane.free_s


def _lay_waves(usable: Sequence[Lanes], tasks: float, task_s: float, not_before_s: float) -> float:
    """All waves but the last few at once; returns how many tasks that were. Slots stay as staggered as they are."""
    capacity = sum(lane.slots * lane.power for lane in usable)
    levels = [lane.room_until_level(not_before_s) for lane in usable]
    last_s = max(level_s for _room, level_s in levels)
    room_s = sum(
        room + (last_s - level_s) * lane.slots * lane.power
        for lane, (room, level_s) in zip(usable, levels, strict=True)
    )
    waves = math.floor((tasks * task_s - room_s) / (capacity * task_s)) - 1 if task_s > 0 else 0
    if waves <= 0:
        return 0.0
    for lane in usable:
        lane.laid += waves * lane.slots * lane.power
        lane.shift(waves * task_s, not_before_s)
    return waves * capacity


@lru_cache(maxsize=4096)
def longest_of(count: int) -> float:
    """By how many standard deviations the longest of so many normal variables exceeds their mean, expected.

    Source: Blom, Statistical Estimates and Transformed Beta-Variables, 1958: Φ⁻¹((n - 3/8) / (n + 1/4)).
    """
    return 0.0 if count <= 1 else _NORMAL.inv_cdf((count - 0.375) / (count + 0.25))
