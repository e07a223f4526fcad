"""A worker in a thread of this process, against a fake scheduler: for tests that look inside."""

from __future__ import annotations

import queue
import random
import threading
from pathlib import Path
from typing import Any, Self, cast

from fake_scheduler import JOIN_CODE, FakeScheduler
from scripted_runner import ScriptedRunner, scripted_registry

from worker.bootstrap import Basis, assemble, identify
from worker.client import SchedulerClient
from worker.clock import Clock, SystemClock
from worker.identity import introduction
from worker.parts import Command, Inbox
from worker.probe import probe
from worker.settings import WorkerSettings
from worker.spool import Spool
from worker.supervisor import Supervisor

QUICK: dict[str, Any] = {
    "backoff_base_s": 0.01,
    "backoff_cap_s": 0.05,
    "settle_s": 0.01,
    "log_every_s": 0.05,
    "flush_s": 1.0,
    "stop_s": 1.0,
    "scratch_min_free_gib": 0.0,
}


def quick_settings(fake: FakeScheduler, folder: Path, **more: Any) -> WorkerSettings:
    """Settings of a worker that wastes no time."""
    return WorkerSettings.model_validate(
        {"server": fake.url, "join": JOIN_CODE, "data": folder / "data", "cache": folder / "cache", **QUICK, **more}
    )


class WorkerRig:
    """Use as a context manager; leaving it stops the worker at once, `drain` lets it finish first."""

    def __init__(self, fake: FakeScheduler, folder: Path, *, clock: Clock | None = None, **more: Any) -> None:
        self.settings = quick_settings(fake, folder, **more)
        self.inbox: Inbox = queue.SimpleQueue()
        self.exit_code: int | None = None
        registry = scripted_registry()
        self.runner = cast(ScriptedRunner, registry.get("scripted"))
        spool = Spool(
            self.settings.data / "spool",
            rows_max=self.settings.spool_rows_max,
            bytes_max=self.settings.spool_max_bytes,
        )
        hello = introduction(self.settings, probe(registry, self.settings.data))
        basis = Basis(
            self.settings,
            self.inbox,
            clock or SystemClock(),
            random.Random(1),
            registry,
            spool,
            SchedulerClient(self.settings),
            hello,
        )
        identity = identify(basis)
        assert identity is not None
        basis.client.connections.token = identity.token
        self.supervisor: Supervisor = assemble(basis, identity)
        self.agent = self.supervisor.staff.agent
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for gate in list(self.runner.gates.values()):
            gate.set()
        self.inbox.put(Command.LEAVE)
        self.inbox.put(Command.LEAVE)
        self.join()

    def drain(self) -> int | None:
        """Tell it to leave and wait until it has gone; returns the exit code."""
        self.inbox.put(Command.LEAVE)
        self.join()
        return self.exit_code

    def join(self, timeout_s: float = 10.0) -> None:
        """Wait until the worker has gone."""
        self._thread.join(timeout_s)
        assert not self._thread.is_alive(), "the worker did not end"
        assert self.exit_code is not None, "the worker broke"

    def scratch_folders(self) -> list[str]:
        """Attempts that have a folder at this moment."""
        return sorted(path.name for path in (self.settings.data / "scratch").iterdir())

    def _run(self) -> None:
        self.exit_code = self.supervisor.run()
