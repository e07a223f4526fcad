"""The worker's main loop and its threads: time, signals, the parent process, the disk, and an orderly end.

It decides nothing about tasks (that is the agent's); it starts the threads, notices when one of them breaks, and sees
to it that the process leaves nothing behind: no child processes, no scratch folders, no undelivered work in memory.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from worker.agent import Agent
from worker.answers import CallFailed, Unreachable
from worker.client import SchedulerClient
from worker.cloud.notices import Notice
from worker.cloud.watching import watchers
from worker.fetching import FetchCancelled
from worker.identity import Identity, NotJoined
from worker.parts import Command, Parts
from worker.pictures import PictureBoard
from worker.probe import load_share
from worker.resources import prepare
from worker.runners.base import RenderCancelled, RenderFailed
from worker.session import Session
from worker.settings import WorkerSettings
from worker.slots import Slot
from worker.spool import Spool
from worker.state import Phase, ref_of
from worker.telemetry import logger
from worker.tenancy import Tenancy, wipe_loop
from worker.uploads import Deliveries

TICK_S = 0.25
"""How often time-outs, the parent and parked deliveries are looked at."""

DISK_EVERY_S = 5.0
WARM_EVERY_S = 30.0
"""How often runners are given the occasion to end renderers that have been idle for long."""

IDLE_LOOK_S = 1.0
"""How long a worker must have been idle before its runners get ready for the next scene."""

REJOIN_EVERY_S = 2.0
JOIN_THREADS_S = 1.0
"""How long the end of each thread is waited for; all are daemons."""

EXIT_OK, EXIT_BROKEN, EXIT_DENIED = 0, 1, 4

_log = logger("supervisor")


@dataclass(frozen=True)
class Staff:
    """Everything that runs or must be closed."""

    agent: Agent
    session: Session
    deliveries: Deliveries
    slots: Mapping[int, Slot]
    spool: Spool
    client: SchedulerClient
    pictures: PictureBoard
    rejoin: Callable[[], Identity]


class Supervisor:
    """Runs one worker until it is told to go."""

    def __init__(self, settings: WorkerSettings, parts: Parts, staff: Staff) -> None:
        self.staff = staff
        self._settings, self._parts = settings, parts
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []
        self._signals = 0
        self._orphaned = False
        self._exit: int | None = None
        self._end_by: float | None = None
        self._disk_at = self._rejoin_at = float("-inf")
        self._tenancy = Tenancy(settings, parts, staff.agent)

    def run(self) -> int:
        """Work until there is a reason to go; returns the exit code."""
        self._start()
        while not self._over():
            with suppress(queue.Empty):
                self._obey(self._parts.inbox.get(timeout=TICK_S))
            self._tick()
        self._shut_down()
        return EXIT_OK if self._exit is None else self._exit

    def spawn(self, name: str, loop: Callable[[], None], *, waited_for: bool = True) -> None:
        """A thread whose breaking ends the worker in order, instead of leaving it half alive."""

        def guarded() -> None:
            try:
                loop()
            except Exception:  # noqa: BLE001 - whatever it was, the worker must end in order
                if not self._closing.is_set():
                    _log.exception("thread_broken", thread=name)
                    self._parts.inbox.put(Command.BROKEN)

        thread = threading.Thread(target=guarded, name=name, daemon=True)
        if waited_for:
            self._threads.append(thread)
        thread.start()

    def _start(self) -> None:
        staff = self.staff
        wiper = self._parts.wiper
        if wiper is not None:
            self._parts.cache.folder.wipe()  # nobody knows any more whose content it is
            self.spawn("wipe", lambda: wipe_loop(wiper, self._parts, staff.agent, staff.spool, self._closing))
        for name, loop in watchers(self._settings, self._parts.inbox.put, self._closing).items():
            self.spawn(name, loop, waited_for=False)  # one may be parked at the metadata server for a minute
        self._look_at_machine(self._now())  # before the first lane asks for work
        for number, slot in staff.slots.items():
            self.spawn(f"slot-{number}", slot.loop)
        for number in range(self._settings.upload_threads):
            self.spawn(f"upload-{number}", staff.deliveries.loop)
        for name, loop in staff.session.lanes().items():
            self.spawn(name, loop)
        self.spawn("fetch", self._fetch_loop)
        self.spawn("log", self._log_loop)
        self.spawn("pictures", staff.pictures.loop)
        self.spawn("warm", self._warm_loop)

    def _obey(self, command: Command | Notice) -> None:
        agent = self.staff.agent
        match command:
            case Notice():
                self._tenancy.heed(command)
            case Command.LEAVE:
                self._signals += 1
                if self._signals > 1:
                    agent.stop()
                    self._end_by = self._now() + self._settings.stop_s
                else:
                    agent.leave(self._settings.drain_s)
            case Command.ORPHANED:
                agent.leave(min(self._settings.drain_s, self._settings.orphan_drain_s))
            case Command.UNKNOWN:
                self._rejoin()
            case Command.BROKEN:
                self._end(EXIT_BROKEN)
            case Command.WAKE:
                pass

    def _tick(self) -> None:
        agent, now = self.staff.agent, self._now()
        agent.tick()
        self._tenancy.tick(now)
        self.staff.deliveries.tick(now, online=agent.online)
        if not agent.online:
            self.staff.deliveries.save()
        if now >= self._disk_at:
            self._look_at_machine(now)
        if self._settings.parent_pid and not self._orphaned and os.getppid() != self._settings.parent_pid:
            self._orphaned = True
            _log.warning("orphaned", parent_pid=self._settings.parent_pid)
            self._parts.inbox.put(Command.ORPHANED)

    def _look_at_machine(self, now: float) -> None:
        self._disk_at = now + DISK_EVERY_S
        self.staff.agent.load = load_share()
        self.staff.agent.block(self._why_blocked())

    def _over(self) -> bool:
        """Is it time to go? What cannot be delivered within `flush_s` after the last task stays in the spool."""
        agent = self.staff.agent
        if agent.gone():
            return True
        tenancy, now = self._tenancy, self._now()
        if tenancy.end_by is not None and now >= tenancy.end_by:
            return True
        leaving = self._signals > 0 or self._orphaned or self._exit is not None or tenancy.leaving
        if leaving and self._end_by is None and not tenancy.hurried and not agent.rendering():
            self._end_by = now + self._settings.flush_s
        return self._end_by is not None and now >= self._end_by

    def _end(self, code: int) -> None:
        """Go at once, with this exit code."""
        self._exit = code
        self.staff.agent.stop()
        self._end_by = self._now() + self._settings.stop_s

    def _rejoin(self) -> None:
        """The scheduler has forgotten this worker: join anew, or say why that is impossible and go."""
        if self._now() < self._rejoin_at or self._exit is not None:
            return
        self._rejoin_at = self._now() + REJOIN_EVERY_S
        try:
            identity = self.staff.rejoin()
        except Unreachable as error:
            _log.info("rejoin_waits", reason=error.message)
        except (NotJoined, CallFailed) as error:
            _log.error("not_joined", reason=str(error))
            self._end(EXIT_DENIED)
        else:
            self.staff.client.connections.token = identity.token
            self.staff.agent.rename(identity.worker)

    def _why_blocked(self) -> str:
        free = self._parts.scratch.free_bytes()
        if free < self._settings.scratch_min_free_bytes:
            left = f"only {free / 2**30:.1f} GiB are free in {self._settings.data}"
            return f"{left}; free some, or lower scratch_min_free_gib"
        return "the spool is full of undelivered work" if self.staff.spool.full() else ""

    def _fetch_loop(self) -> None:
        """Fetch ahead what waiting leases need. What fails here fails again in the slot, which reports it."""
        while (lease := self._parts.to_fetch.get()) is not None:
            held = self.staff.agent.state.held.get(ref_of(lease))
            if held is None or held.phase is not Phase.QUEUED:
                continue
            try:
                prepare(lease, self._parts.cache, self._closing).release()
            except FetchCancelled:
                return
            except Exception as error:  # noqa: BLE001 - the slot meets it again, and reports it
                _log.info("fetch_ahead_failed", task=lease.task, attempt=lease.attempt, reason=str(error))

    def _log_loop(self) -> None:
        while not self._closing.wait(self._settings.log_every_s):
            self._parts.logs.ship()

    def _warm_loop(self) -> None:
        """Runners end what is long idle, and get ready for more when nothing is rendered at two looks in a row."""
        was_idle, looked_at = False, self._now()
        while not self._closing.wait(IDLE_LOOK_S):
            idle = not self.staff.agent.rendering()
            if idle and was_idle:
                self._get_ready()
            was_idle = idle
            if self._now() - looked_at >= WARM_EVERY_S:
                looked_at = self._now()
                self.staff.agent.look_what_is_warm()

    def _get_ready(self) -> None:
        try:
            self._parts.registry.get_ready()
        except (RenderFailed, RenderCancelled) as error:
            _log.info("not_ready", reason=str(error))  # the next task meets it again, and says so

    def _shut_down(self) -> None:
        staff = self.staff
        self._closing.set()
        staff.session.close()
        staff.deliveries.save()
        staff.deliveries.close(self._settings.upload_threads)
        staff.pictures.close()
        for slot in staff.slots.values():
            slot.close()
        self._parts.to_fetch.put(None)
        self._parts.registry.close()
        for thread in self._threads:
            thread.join(JOIN_THREADS_S)
        staff.agent.abandon_scratch()
        if self._parts.wiper is not None:
            self._parts.cache.folder.wipe()
        staff.client.close()
        staff.spool.close()
        self._parts.journal.close()
        _log.info("gone", worker=staff.agent.worker_id(), undelivered=len(staff.agent.state.held))

    def _now(self) -> float:
        return self._parts.clock.monotonic()
