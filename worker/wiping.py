"""Which content of jobs is still on this machine, and when it must go: for machines that are not the studio's own.

A worker is not told when a job ends; it knows when it last had a task of it. What a job has brought here is removed so
many seconds after its last task here, so it is gone at most that long after the job's end. `Wiper` decides and removes
nothing itself; it is thread-safe, because leases come in one thread and time passes in another.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from scheduler.protocol.work import Lease
from worker.resources import hashes


@dataclass(frozen=True)
class Wipe:
    """Content to remove: what is in memory of these jobs, and these resources."""

    jobs: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()


@dataclass
class _Traces:
    last_s: float
    resources: set[str] = field(default_factory=set[str])


class Wiper:
    """What each job has left here."""

    def __init__(self, after_s: float) -> None:
        self._after_s = after_s
        self._lock = threading.Lock()
        self._traces: dict[str, _Traces] = {}

    def taken(self, lease: Lease, now: float) -> None:
        """A lease was taken: its content will be here."""
        with self._lock:
            traces = self._traces.setdefault(lease.job, _Traces(now))
            traces.last_s = now
            traces.resources.update(hashes(lease))

    def look(self, held: Collection[str], now: float) -> Wipe:
        """What is to be removed now, when this worker holds leases of the jobs `held`. It stays due until `gone`."""
        with self._lock:
            for job in held:
                if job in self._traces:
                    self._traces[job].last_s = now
            due = {job: each for job, each in self._traces.items() if now - each.last_s >= self._after_s}
            needed = _resources({job: each for job, each in self._traces.items() if job not in due})
            return Wipe(tuple(due), tuple(sorted(_resources(due) - needed)))

    def gone(self, wipe: Wipe, left: Iterable[str]) -> None:
        """The wipe was carried out but for the resources in `left`, which somebody on this machine still uses."""
        remaining = set(left)
        with self._lock:
            for job in wipe.jobs:
                self._traces[job].resources &= remaining
                if not self._traces[job].resources:
                    del self._traces[job]


def _resources(traces: Mapping[str, _Traces]) -> set[str]:
    return {resource for each in traces.values() for resource in each.resources}
