"""Generated months: shows with shots and iterations, submitted as artists do, with deliveries that clash.

Frame times are heavy-tailed: lognormal from shot to shot and again from frame to frame, and now and then ten times as
long. Work is submitted in working hours with a rush before the evening, more and more of it towards the delivery, and
production raises what is due soon. Deterministic by seed. Replaying is `engine`'s.
"""

from __future__ import annotations

import difflib
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import msgspec

from scheduler.errors import Refused
from scheduler.protocol.traces import Change, JobLine, MachineSpec, PoolSpec, WorkerLine, new_farm
from scheduler.routing.route import HOME_POOL
from scheduler.simulation.traces import Trace

ORIGIN = "2026-01-05T00:00:00+00:00"
"""Second 0 of a generated trace: a Monday, midnight UTC."""

DAY_S, HOUR_S = 86_400.0, 3600.0
TASKS_MAX = 5_000_000

SHOW_NAMES = ("Alpha", "Beta", "Gamma", "Delta", "Epsilon", "Zeta", "Eta", "Theta")
SHOT_SPREAD, FRAME_SPREAD = 0.7, 0.2
"""Log-sd of shots around the show's typical frame, and of frames around their shot's."""

RARE_CHANCE, RARE_FACTOR = 0.004, 10.0
"""Now and then a frame takes ten times as long: caustics, a heavy prop, swapping."""

MERGE_S = 4.0
TILED_PART = 0.05
"""Part of the jobs that split their frames into tiles, and what one merge takes."""

HOUR_WEIGHTS = {9: 1, 10: 2, 11: 3, 12: 2, 13: 2, 14: 3, 15: 3, 16: 4, 17: 6, 18: 8, 19: 4}
"""When in the day jobs are submitted: towards the evening, to render overnight."""

WEEKEND_WEIGHT = 0.15
CRUNCH_DAYS = 7.0
CRUNCH_WEIGHT = 3.0
"""So many days before a delivery, submissions grow up to this many times."""

FINAL_DAYS = 5.0
"""Jobs submitted so shortly before the delivery are finals, due at the delivery."""

RAISED_DAYS = 2.0
RAISED_PRIORITY = 70
"""So shortly before the delivery production raises the priority of some finals."""


class SpecError(Refused):
    """The description of what to generate cannot be read."""

    code = "invalid_spec"
    hint = "Write KEY=VALUE pairs, for example shows=2,days=30,seed=7."


@dataclass(frozen=True)
class MonthSpec:
    """What to generate. `load` is the work as a part of what the studio's own machines can do in that time."""

    shows: int = 2
    days: int = 30
    seed: int = 0
    workers: int = 100
    slots: int = 1
    load: float = 0.9
    frame_s: float = 900.0
    clash_days: float = 1.0
    cloud_workers: int = 0
    cloud_usd_per_hour: float = 0.5
    deadlines: int = 1


_BOUNDS: dict[str, tuple[float, float]] = {
    "shows": (1, len(SHOW_NAMES)),
    "days": (1, 366),
    "seed": (0, 2**63),
    "workers": (1, 100_000),
    "slots": (1, 256),
    "load": (0.01, 10),
    "frame_s": (1, 1e6),
    "clash_days": (0, 366),
    "cloud_workers": (0, 100_000),
    "cloud_usd_per_hour": (0, 1e4),
    "deadlines": (0, 1),
}


def read_spec(text: str) -> MonthSpec:
    """`shows=2,days=30,seed=7` as a spec.

    Raises:
        SpecError: an unknown key, or a value that is no number or out of bounds.
    """
    kinds: dict[str, type[int | float]] = {
        part.name: float if isinstance(part.default, float) else int for part in fields(MonthSpec)
    }
    values: dict[str, Any] = {}
    for pair in (part for part in text.split(",") if part.strip()):
        key, _mark, value = (part.strip() for part in pair.partition("="))
        if key not in kinds:
            near = difflib.get_close_matches(key, kinds, n=1)
            known = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(kinds)}"
            raise SpecError(f"{key!r} cannot be generated; {known}.")
        low, high = _BOUNDS[key]
        try:
            number = kinds[key](value)
        except ValueError as error:
            raise SpecError(f"{key}: {value!r} is no number of the kind that is asked for.") from error
        if not low <= number <= high:
            raise SpecError(f"{key} lies between {low:g} and {high:g}.")
        values[key] = number
    return MonthSpec(**values)


def generate(spec: MonthSpec) -> Trace:
    """The trace of a month.

    Raises:
        SpecError: more work than a trace may hold.
    """
    rng = random.Random(spec.seed)
    capacity_s = spec.workers * spec.slots * spec.days * DAY_S * spec.load
    if capacity_s / spec.frame_s > TASKS_MAX:
        raise SpecError(
            f"this would be more than {TASKS_MAX} tasks; take fewer workers, a lower load or longer frames."
        )
    jobs: list[JobLine] = []
    for show in range(spec.shows):
        jobs += _show(spec, show, capacity_s / spec.shows, rng)
    jobs.sort(key=lambda job: (job.submitted_s, job.project, job.name))
    numbered = tuple(msgspec.structs.replace(job, job=f"{number:05d}") for number, job in enumerate(jobs, 1))
    machine = MachineSpec(slots=spec.slots, vcpus=8 * spec.slots, memory_gib=32.0 * spec.slots)
    pools = [PoolSpec(HOME_POOL)]
    if spec.cloud_workers:
        pools.append(
            PoolSpec(
                "cloud",
                price_usd_per_hour=spec.cloud_usd_per_hour,
                workers_max=spec.cloud_workers,
                boot_s=180.0,
                machine=machine,
            )
        )
    farm = new_farm(tuple(pools), origin=ORIGIN, name=f"generated by seed {spec.seed}")
    return Trace(farm, (WorkerLine(worker="node", count=spec.workers, machine=machine),), numbered)


def delivery_s(spec: MonthSpec, show: int) -> float:
    """When a show delivers: the first at four fifths of the time, each later one `clash_days` after the one before."""
    day = min(spec.days * 0.8 + show * spec.clash_days, float(spec.days))
    return math.floor(day) * DAY_S + 18 * HOUR_S


def _show(spec: MonthSpec, show: int, budget_s: float, rng: random.Random) -> Iterator[JobLine]:
    """Jobs of one show until its part of the work is used up."""
    due_s = delivery_s(spec, show)
    shots = max(4, int(budget_s / (spec.frame_s * 100 * 12)))
    typical = [spec.frame_s * math.exp(rng.gauss(0.0, SHOT_SPREAD)) for _ in range(shots)]
    lengths = [rng.choice((25, 50, 75, 100, 125, 200)) for _ in range(shots)]
    days = _days(spec, due_s)
    versions = [0] * shots
    spent_s = 0.0
    while spent_s < budget_s:
        submitted_s = _moment(days, rng)
        shot = rng.randrange(shots)
        versions[shot] += 1
        job = _iteration(SHOW_NAMES[show], (shot, versions[shot], lengths[shot], typical[shot]), rng)
        job = _timed(spec, job, submitted_s, due_s, rng)
        spent_s += sum(time for step in job.seconds for time in step if time is not None)
        yield job


def _days(spec: MonthSpec, due_s: float) -> tuple[list[int], list[float]]:
    """The days up to the delivery, and how much is submitted on each."""
    last = max(1, min(spec.days, math.ceil(due_s / DAY_S)))
    weights: list[float] = []
    for day in range(last):
        to_go = due_s / DAY_S - day
        crunch = 1.0 + (CRUNCH_WEIGHT - 1.0) * max(0.0, 1.0 - to_go / CRUNCH_DAYS)
        weights.append(crunch * (WEEKEND_WEIGHT if day % 7 in (5, 6) else 1.0))
    return list(range(last)), weights


def _moment(days: tuple[list[int], list[float]], rng: random.Random) -> float:
    day = rng.choices(*days)[0]
    hour = rng.choices(list(HOUR_WEIGHTS), list(HOUR_WEIGHTS.values()))[0]
    return round(day * DAY_S + (hour + rng.random()) * HOUR_S, 1)


def _iteration(show: str, shot: tuple[int, int, int, float], rng: random.Random) -> JobLine:
    """One iteration of a shot: a test of some frames, or all of them."""
    number, version, length, typical_s = shot
    frames = length if rng.random() < 0.6 else max(4, length // 8)
    times = [_frame_s(typical_s, rng) for _ in range(frames)]
    tiles = (2, 2) if rng.random() < TILED_PART else None
    if tiles is None:
        seconds = (tuple(times),)
    else:
        seconds = (tuple(round(time / 4, 1) for time in times for _tile in range(4)), (MERGE_S,) * frames)
    name = f"sh{number * 10:04d}_v{version:03d}"
    return JobLine(
        job=name,
        submitted_s=0.0,
        seconds=seconds,
        name=name,
        project=show,
        shot=f"sh{number * 10:04d}",
        owner=f"{show.lower()}-{number % 6 + 1}",
        renderer="blender",
        scene=f"{show}/sh{number * 10:04d}.blend",
        frame_count=frames,
        tiles=tiles,
    )


def _frame_s(typical_s: float, rng: random.Random) -> float:
    time = typical_s * math.exp(rng.gauss(0.0, FRAME_SPREAD))
    return round(time * RARE_FACTOR if rng.random() < RARE_CHANCE else time, 1)


def _timed(spec: MonthSpec, job: JobLine, submitted_s: float, due_s: float, rng: random.Random) -> JobLine:
    """When it is submitted, when it is due and what it is worth: dailies the next morning, finals at the delivery."""
    to_go_s = due_s - submitted_s
    final = to_go_s < FINAL_DAYS * DAY_S
    next_morning_s = (math.floor(submitted_s / DAY_S) + 1) * DAY_S + 10 * HOUR_S
    deadline_s = due_s if final else next_morning_s
    # Some finals are handed in when they are due; they are given the night.
    deadline_s = max(deadline_s, submitted_s + 12 * HOUR_S)
    priority = rng.choice((50, 55, 60)) if final else rng.choice((40, 45, 50))
    changes: tuple[Change, ...] = ()
    raise_s = due_s - RAISED_DAYS * DAY_S
    if final and rng.random() < 0.3 and submitted_s < raise_s:
        changes = (Change(at_s=raise_s, priority=RAISED_PRIORITY),)
    return msgspec.structs.replace(
        job,
        submitted_s=submitted_s,
        deadline_s=deadline_s if spec.deadlines else None,
        priority=priority,
        changes=changes,
    )
