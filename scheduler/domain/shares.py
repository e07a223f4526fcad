"""Fair share: how much of the farm each project has had lately. Use decays exponentially, so that a project that idled
for a weekend does not own the farm on Monday, and one that burst yesterday is forgiven today. It counts slots over time
and keeps no clock; what a share is worth in points is `domain.ranking`'s.

The decayed sum and its half-life are those of the classic fair-share schedulers
(J. Kay and P. Lauder, "A Fair Share Scheduler", CACM 31(1), 1988, https://doi.org/10.1145/35043.35047).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import log

FORGOTTEN_SLOT_S = 1e-3
"""Use below a thousandth of a slot-second is forgotten, so that ended projects do not pile up."""


@dataclass(frozen=True, slots=True)
class RecentUse:
    """What each project has had, in slot-seconds that fade with the half-life, as of `at_s` (seconds, epoch)."""

    at_s: float
    slot_s: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Run:
    """A slot that a project held from `started_s` until `ended_s`, seconds since the epoch."""

    project: str
    started_s: float
    ended_s: float


def advance(use: RecentUse, running: Mapping[str, float], now_s: float, half_life_s: float) -> RecentUse:
    """The use as of now, if each project held `running[project]` slots since the last time.

    Exact for slots that were held all the time, whatever the interval. A clock that went back changes nothing.
    """
    passed_s = now_s - use.at_s
    if passed_s <= 0.0:
        return use
    kept = 2.0 ** (-passed_s / half_life_s)
    gained_s = (1.0 - kept) * half_life_s / log(2.0)
    slot_s = {
        project: use.slot_s.get(project, 0.0) * kept + running.get(project, 0.0) * gained_s
        for project in use.slot_s.keys() | running.keys()
    }
    return RecentUse(now_s, {project: amount for project, amount in slot_s.items() if amount > FORGOTTEN_SLOT_S})


def remembered(runs: Iterable[Run], now_s: float, half_life_s: float) -> RecentUse:
    """The use as of now from what ran before: what `advance` would have come to, for a scheduler that starts."""
    slot_s: dict[str, float] = {}
    per_slot_s = half_life_s / log(2.0)
    for run in runs:
        ended_s = min(run.ended_s, now_s)
        if ended_s > run.started_s:
            at_end, at_start = (2.0 ** ((at_s - now_s) / half_life_s) for at_s in (ended_s, run.started_s))
            slot_s[run.project] = slot_s.get(run.project, 0.0) + (at_end - at_start) * per_slot_s
    return RecentUse(now_s, {project: amount for project, amount in slot_s.items() if amount > FORGOTTEN_SLOT_S})


def fractions(use: RecentUse, among: Iterable[str]) -> dict[str, float]:
    """Each of these projects' part, 0 to 1, of what they have had together; empty if that is nothing."""
    had = {project: use.slot_s.get(project, 0.0) for project in set(among)}
    total = sum(had[project] for project in sorted(had))
    return {project: amount / total for project, amount in had.items()} if total > 0.0 else {}
