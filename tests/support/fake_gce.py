"""Compute Engine for tests: an HTTP server that the unmodified `google-cloud-compute` client talks to.

    with fake_gce() as fake:                     # or fake_gce(now=clock.now), on a clock that the test moves
        pool = GcePool(project=fake.project.name, endpoint=fake.url, zones=("us-east1-b",))
        fake.project.boot_s = 30.0               # PROVISIONING and STAGING, then RUNNING
        fake.project.operation_s = 2.0           # operations run so long; `ending_s`: instances stop so long
        fake.project.stock["us-east1-b"] = 1     # so many more instances; 0: stock-out
        fake.project.telling = "nothing"         # no operation says why there are fewer than asked for
        fake.project.quotas["us-east1"] = 3      # refused at once, or with `quotas_late` by the operation
        fake.project.templates["worker"] = {...} # properties of an instance template
        fake.fail("bulk_insert", 403, "rateLimitExceeded", times=2)
        fake.lose("bulk_insert"); fake.slow("delete", 5.0)      # done, but the answer is lost or late
        fake.crash(3, after=True)                # the connection breaks at the fourth request from now
        fake.page_max = 2                        # things in one page of a list
        fake.down = True                         # every connection is closed without a word
        fake.preempt("us-east1-b/NAME")          # Google takes a Spot instance back
        fake.power_off("us-east1-b/NAME")        # the instance shuts itself down
        fake.sent("bulk_insert")                 # what it was asked
        fake.alive()                             # id -> start-up script of every instance that runs

An instance whose `maxRunDuration` is over ends by itself. What a real project refuses, this one refuses too: a taken
name, an unknown machine type, Spot that would migrate, a filter that does not parse. The wire format is the client's
own (`tests/scheduler/backends/test_gce_wire.py` holds it to recorded requests).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import fake_gce_http as http
from fake_gce_http import ANY, Fault, Seen
from fake_gce_project import Machine, Project

__all__ = ["FakeGce", "Seen", "fake_gce"]


class FakeGce:
    """See the module's docstring."""

    def __init__(self, now: Callable[[], datetime] | None = None, name: str = "studio") -> None:
        self.project = Project(name, now or (lambda: datetime.now(UTC)))
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.down = False
        self.page_max = 500
        self.released = threading.Event()
        self._server = http.serve(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop serving, and let go of whoever waits."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def fail(self, call: str, status: int, reason: str, *, times: int = 1) -> None:
        """Refuse the next calls."""
        self.faults.append(Fault(call, times, status, reason))

    def lose(self, call: str, *, times: int = 1) -> None:
        """Carry out the next calls, and break the connection before the answer."""
        self.faults.append(Fault(call, times, after=True))

    def slow(self, call: str, seconds: float) -> None:
        """Carry out the next call, and answer so much later (or when `released` is set)."""
        self.released.clear()
        self.faults.append(Fault(call, 1, after=True, pause_s=seconds))

    def crash(self, step: int, *, after: bool) -> None:
        """Break the connection at one request, counted from 0 on from now: before it is carried out, or after."""
        self.faults.append(Fault(ANY, 1, after=after, skip=step))

    def sent(self, call: str) -> list[Seen]:
        """The requests of a route (`fake_gce_http.ROUTES`)."""
        return [seen for seen in self.requests if seen.call == call]

    def machine(self, identity: str) -> Machine:
        """An instance by ZONE/NAME."""
        zone, _, name = identity.partition("/")
        with self.project.lock:
            self.project.settle()
            return self.project.machine(zone, name)

    def preempt(self, identity: str) -> None:
        """Take an instance back."""
        self._taken(identity, "compute.instances.preempted")

    def break_host(self, identity: str) -> None:
        """Let the machine under an instance die."""
        self._taken(identity, "compute.instances.hostError")

    def _taken(self, identity: str, kind: str) -> None:
        machine = self.machine(identity)
        with self.project.lock:
            deleted = machine.scheduling.get("instanceTerminationAction") == "DELETE"
            self.project.end(machine, deleted=deleted and kind.endswith("preempted"))
            self.project.operate(machine.zone, kind, f"{machine.zone}/instances/{machine.name}")

    def power_off(self, identity: str) -> None:
        """Shut an instance down from within: it rests, and keeps its disk."""
        machine = self.machine(identity)
        with self.project.lock:
            self.project.end(machine, deleted=False)

    def alive(self) -> dict[str, str]:
        """ZONE/NAME → start-up script of every instance that runs."""
        with self.project.lock:
            self.project.settle()
            running = [m for m in self.project.machines.values() if self.project.status(m) == "RUNNING"]
            return {f"{m.zone}/{m.name}": m.metadata("startup-script") for m in running}


@contextmanager
def fake_gce(now: Callable[[], datetime] | None = None) -> Iterator[FakeGce]:
    """Serve on a free port."""
    fake = FakeGce(now)
    try:
        yield fake
    finally:
        fake.close()
