"""Runs what a fake cloud's instances would run: each start-up script as processes, from the instance's boot to its end.

    with InstanceProcesses(gce.alive, tmp_path, powered_off=gce.power_off) as machines:
        ...                         # launch: the scripts run; terminate, or preempt: they are gone
        machines.logs(identity)     # what a script has printed

An instance whose script ends by itself has powered itself off; `powered_off` tells the cloud so. An end is as hard as a
power cut: every process of the script's session is killed. A script finds its instance's id in OUTFIELD_INSTANCE, where
a real one asks its metadata service, and OUTFIELD_KEEP_ON keeps it from turning this machine off. What its agent keeps
lies below a folder of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

POLL_S = 0.05


@dataclass
class _Running:
    process: subprocess.Popen[bytes]
    log: Path


class InstanceProcesses:
    """See the module's docstring. `alive` gives id → start-up script of the instances that run now."""

    def __init__(
        self,
        alive: Callable[[], Mapping[str, str]],
        folder: Path,
        *,
        powered_off: Callable[[str], object] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._alive, self._folder = alive, folder
        self._powered_off = powered_off
        self._environment = dict(os.environ if environment is None else environment)
        self._running: dict[str, _Running] = {}
        self._off: set[str] = set()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self.started: list[str] = []
        """Every instance that ever booted, in order."""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        for identity in list(self._running):
            self._stop(identity)

    def pids(self) -> dict[str, int]:
        """Instance → process of its script."""
        return {identity: running.process.pid for identity, running in list(self._running.items())}

    def logs(self, identity: str) -> str:
        """What an instance's script has printed so far."""
        return self._log(identity).read_text(errors="replace")

    def _watch(self) -> None:
        while not self._ended.wait(POLL_S):
            self.step()

    def step(self) -> None:
        """Start what has booted, stop what is gone, tell of what has powered itself off."""
        there = self._alive()
        for identity in [known for known in self._running if known not in there]:
            self._stop(identity)
        for identity, running in list(self._running.items()):
            if running.process.poll() is not None:
                self._stop(identity)
                self._off.add(identity)
                if self._powered_off is not None:
                    self._powered_off(identity)
        for identity, script in there.items():
            if identity not in self._running and identity not in self._off:
                self._start(identity, script)

    def _start(self, identity: str, script: str) -> None:
        log = self._log(identity)
        log.parent.mkdir(parents=True, exist_ok=True)
        file = log.with_name("start-up.sh")
        file.write_text(script)
        file.chmod(0o755)
        own = {
            "HOME": str(log.parent),
            "OUTFIELD_INSTANCE": identity,
            "OUTFIELD_KEEP_ON": "1",
            "OUTFIELD_WORKER__DATA": str(log.parent / "worker"),
            "OUTFIELD_WORKER__CACHE": str(log.parent / "cache"),
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(file)],
                cwd=log.parent,
                env=self._environment | own,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[identity] = _Running(process, log)
        self.started.append(identity)

    def _stop(self, identity: str) -> None:
        running = self._running.pop(identity)
        with suppress(ProcessLookupError):
            os.killpg(running.process.pid, signal.SIGKILL)
        running.process.wait()

    def _log(self, identity: str) -> Path:
        return self._folder / identity.replace("/", "_") / "log"
