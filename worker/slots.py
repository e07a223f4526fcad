"""The slots: threads that run one task at a time, and turn whatever a runner does into an `Ended`.

A slot's thread lives as long as the worker. It has to: on Linux a child that asked to die with its parent
(PR_SET_PDEATHSIG) dies with the *thread* that started it (https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html),
and renderers stay warm between tasks.
"""

from __future__ import annotations

import queue
import re
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import msgspec

from scheduler.protocol.archives import UnsafeArchive
from scheduler.protocol.bundles import UnsafeBundle
from scheduler.protocol.work import FailureClass, Lease, TaskRef
from worker.answers import CallFailed
from worker.cache import ResourceCache
from worker.clock import Clock
from worker.fetching import FetchCancelled, ResourceDamaged
from worker.logs import LogShipper
from worker.pictures import PictureBoard
from worker.resources import prepare
from worker.runners.base import Produced, RenderCancelled, RenderFailed, Reporter, Work
from worker.runners.registry import RunnerRegistry, UnknownRenderer
from worker.scratch import Scratch
from worker.state import Ended, ref_of
from worker.telemetry import ProgressBoard, logger
from worker.verdicts import failure

NAME_MAX = 200
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")

_log = logger("slots")


class SlotListener(Protocol):
    """What a slot tells the agent."""

    def running(self, ref: TaskRef) -> None:
        """The runner is called now."""
        ...

    def ended(self, slot: int, ref: TaskRef, ended: Ended) -> None:
        """The slot is free again."""
        ...


@dataclass(frozen=True)
class Bench:
    """What slots work with."""

    registry: RunnerRegistry
    cache: ResourceCache
    scratch: Scratch
    logs: LogShipper
    progress: ProgressBoard
    pictures: PictureBoard
    clock: Clock
    threads_per_slot: int


@dataclass(frozen=True)
class Brake:
    """How a task is stopped: `cancelled` asks it to, `keep` says that what it has so far is wanted."""

    cancelled: threading.Event = field(default_factory=threading.Event)
    keep: threading.Event = field(default_factory=threading.Event)


class Slot:
    """One slot: give it a lease with `start`, stop it with `interrupt`."""

    def __init__(self, number: int, bench: Bench, listener: SlotListener) -> None:
        self.number = number
        self._bench, self._listener = bench, listener
        self._leases: queue.SimpleQueue[tuple[Lease, Brake] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._brakes: dict[TaskRef, Brake] = {}

    def start(self, lease: Lease) -> None:
        """Run this lease next."""
        brake = Brake()
        with self._lock:
            self._brakes[ref_of(lease)] = brake
        self._leases.put((lease, brake))

    def interrupt(self, ref: TaskRef, *, keep: bool = False) -> None:
        """Ask the task to stop, and with `keep` to save what it has; does nothing when it has ended."""
        with self._lock:
            brake = self._brakes.get(ref)
        if brake is not None:
            if keep:
                brake.keep.set()
            brake.cancelled.set()

    def close(self) -> None:
        """End the thread after the present task."""
        self._leases.put(None)

    def loop(self) -> None:
        """The slot's thread."""
        while (next_one := self._leases.get()) is not None:
            lease, brake = next_one
            ref = ref_of(lease)
            ended = self._execute(lease, brake)
            with self._lock:
                self._brakes.pop(ref, None)
            self._listener.ended(self.number, ref, ended)

    def _execute(self, lease: Lease, brake: Brake) -> Ended:
        """Run the lease; whatever is raised becomes a verdict."""
        started = self._bench.clock.monotonic()

        def ended(kind: FailureClass, message: str, exit_code: int | None = None) -> Ended:
            seconds = self._seconds(started)
            return Ended(seconds, failed=failure(lease, kind, message, seconds=seconds, exit_code=exit_code))

        try:
            files = self._render(lease, brake)
        except RenderCancelled as stopped:
            saved = () if stopped.saved is None else (stopped.saved,)
            return Ended(self._seconds(started), saved, cancelled=True)
        except FetchCancelled:
            return Ended(self._seconds(started), cancelled=True)
        except RenderFailed as error:
            return ended(error.failure, error.message, error.exit_code)
        except (UnsafeArchive, UnsafeBundle) as error:
            cancelled_too = brake.cancelled.is_set()
            return Ended(self._seconds(started), cancelled=True) if cancelled_too else ended("user", error.message)
        except (CallFailed, UnknownRenderer, ResourceDamaged) as error:
            return ended("infra", f"The task could not begin: {error}")
        except Exception as error:  # noqa: BLE001 - a bug must cost one task, not the slot
            # The artist gets one line, whoever repairs it gets the log.
            self._bench.logs.open(ref_of(lease), lease.secret).write(traceback.format_exc())
            _log.exception("runner_failed", task=lease.task, attempt=lease.attempt, renderer=lease.renderer)
            return ended("infra", "".join(traceback.format_exception_only(error)).strip().splitlines()[-1])
        return Ended(self._seconds(started), files=tuple(files))

    def _seconds(self, started: float) -> float:
        return self._bench.clock.monotonic() - started

    def _render(self, lease: Lease, brake: Brake) -> Sequence[Produced]:
        ref = ref_of(lease)
        runner = self._bench.registry.get(lease.renderer)
        folder = self._bench.scratch.make(ref)
        prepared = prepare(lease, self._bench.cache, brake.cancelled)
        easel = self._bench.pictures.easel(ref, lease.secret)
        try:
            work = Work(
                lease=lease,
                scratch=folder,
                scene_path=prepared.scene_path,
                manifest=prepared.manifest,
                inputs=prepared.inputs,
                resume=prepared.resume,
                slot=self.number,
                threads=self._bench.threads_per_slot,
            )
            reporter = Reporter(
                progress=lambda progress, note: self._bench.progress.put(ref, progress, note),
                log=_lines_to(self._bench.logs, lease),
                cancelled=brake.cancelled,
                picture=easel,
                keep=brake.keep,
            )
            self._listener.running(ref)
            return checked(runner.run(work, reporter), folder)
        finally:
            easel.close()
            prepared.release()


def checked(files: Sequence[Produced], folder: Path) -> Sequence[Produced]:
    """The files, if each is a real file inside the attempt's folder with a plain name of its own.

    Raises:
        RenderFailed: class `infra`, because a runner must not return anything else.
    """
    names: set[str] = set()
    inside = folder.resolve() if files else folder
    for file in files:
        plain = len(file.name) <= NAME_MAX and _NAME.fullmatch(file.name)
        if not plain or file.name in names:
            raise RenderFailed(f"The renderer made a file called {file.name[:80]!r}, which cannot be staged.", "infra")
        if not file.path.is_file() or not file.path.resolve().is_relative_to(inside):
            raise RenderFailed(f"The renderer named the file {file.name!r}, but did not make it.", "infra")
        try:
            msgspec.json.encode(file.meta)
        except (TypeError, ValueError) as error:  # UnicodeEncodeError is a ValueError
            raise RenderFailed(f"The renderer says of {file.name!r} what cannot be sent: {error}.", "infra") from error
        names.add(file.name)
    return files


def _lines_to(logs: LogShipper, lease: Lease) -> Callable[[str], None]:
    """Opens the attempt's log with its first line, so that silent tasks cost nothing."""
    return lambda line: logs.open(ref_of(lease), lease.secret).write(line)
