"""What nobody could have done for less, not even knowing everything: a lower bound on money for rented workers.

The bound holds for any way to run the trace in which a given set of jobs meets its dates. Relax the farm: work can be
cut as finely as one likes and moved between machines at any moment for nothing, all slots at home work on one job if
that helps, no machine boots, idles, fails or is taken back, and everything that will come is known. Whatever a real
run does for these jobs between their submission and their dates is possible in the relaxed farm, so the least work
that must be rented there is no more than what any real run rents; and a second of work costs at least the lowest
price of one, because a rented machine gives no more than `slots × rating` of it in a second that is paid for.

How much home can do at the most of jobs that may only be worked on between submission and date is a maximum matching of
moments of home with work (a convex bipartite graph); it is reached by always working on the job with the earliest date
and giving up what is left at its date (Glover, Maximum Matching in a Convex Bipartite Graph, 1967). The rest is rented.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scheduler.simulation.fleet import HOUR_S
from scheduler.simulation.outcome import Outcome
from scheduler.simulation.workload import Workload


@dataclass(frozen=True, slots=True)
class Bound:
    """At least so much must be rented, in seconds of work of the reference machine and in US dollars."""

    work_s: float
    usd: float


def least_rent(work: Workload, in_time: Callable[[str], bool]) -> Bound:
    """The bound for all plans in which the jobs for which `in_time` holds meet their dates; the others may do anything.

    Machines at home count from when they join until they leave. Changes of dates count as they are at the end.
    """
    jobs: list[tuple[float, float, float]] = []
    for job in work.jobs:
        dates = [change.deadline_s for change in job.line.changes if change.deadline_s is not None]
        due_s = dates[-1] if dates else job.line.deadline_s
        if due_s is not None and in_time(job.line.job):
            jobs.append((job.submitted_s, due_s, sum(sum(step.seconds) for step in job.steps)))
    rented_s = sum(work_s for _from, _due, work_s in jobs) - most_at_home(jobs, _home_power(work))
    prices = [
        pool.price_usd_per_hour / HOUR_S / (pool.machine.slots * pool.machine.rating)
        for pool in work.trace.farm.pools
        if pool.workers_max and pool.machine is not None
    ]
    rented_s = max(0.0, rented_s)
    return Bound(rented_s, rented_s * min(prices, default=0.0))


def least_rent_of(work: Workload, outcome: Outcome) -> Bound:
    """The bound for all plans that meet the dates which this one met."""
    met = {job.job for job in outcome.jobs if job.late_s is not None and not job.missed}
    return least_rent(work, met.__contains__)


def most_at_home(jobs: Iterable[tuple[float, float, float]], power: Iterable[tuple[float, float]]) -> float:
    """The most work that home can do of jobs (from, due, work in seconds), each between its two moments.

    `power` says from when on home has which power (work done in a second), in the order of time.
    """
    ahead = sorted(jobs)
    powers = [*power, (float("inf"), 0.0)]
    queue: list[tuple[float, int]] = []
    left = [work_s for _from, _due, work_s in ahead]
    done_s, now_s, place, stage = 0.0, 0.0, 0, -1
    while queue or place < len(ahead):
        while powers[stage + 1][0] <= now_s:
            stage += 1
        while place < len(ahead) and ahead[place][0] <= now_s:
            heapq.heappush(queue, (ahead[place][1], place))
            place += 1
        until_s = min(powers[stage + 1][0], ahead[place][0] if place < len(ahead) else float("inf"))
        rate = powers[stage][1] if stage >= 0 else 0.0
        if not queue:
            now_s = until_s
            continue
        due_s, first = queue[0]
        if due_s <= now_s or left[first] <= 0:
            heapq.heappop(queue)
            continue
        end_s = min(until_s, due_s, now_s + left[first] / rate if rate > 0 else float("inf"))
        # What is so little that it takes no time is done.
        part_s = min(left[first], (end_s - now_s) * rate) if end_s > now_s else left[first]
        left[first] -= part_s
        done_s += part_s
        now_s = end_s
    return done_s


def _home_power(work: Workload) -> list[tuple[float, float]]:
    """The power of all machines that are there anyhow, by the moments at which it changes."""
    steps: dict[float, float] = {0.0: 0.0}
    for line in work.trace.workers:
        gain = line.count * line.machine.slots * line.machine.rating
        steps[line.joined_s] = steps.get(line.joined_s, 0.0) + gain
        if line.left_s is not None:
            steps[line.left_s] = steps.get(line.left_s, 0.0) - gain
    found: list[tuple[float, float]] = []
    total = 0.0
    for at_s in sorted(steps):
        total += steps[at_s]
        found.append((at_s, total))
    return found
