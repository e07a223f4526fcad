"""The Blenders of a worker's slots: one each, kept from task to task while it serves, replaced when it does not.

While a worker that renders with Blender is idle, one more stands by with no file open: starting one takes longer than
many a frame, and the next scene need not wait for it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from worker.clock import Clock
from worker.runners.base import RenderCancelled, RenderFailed, Reporter, Work
from worker.runners.blender.discovery import Blender
from worker.runners.blender.session import BlenderSession, Identity, Watch, identify
from worker.runners.blender.settings import IDLE_S_MAX, RSS_GROWTH_MAX_BYTES, TASKS_PER_PROCESS

JOBS_REMEMBERED = 16
"""Jobs of which one Blender says that their file is open in it."""

PROBE_TIMEOUT_S = 120.0
PING_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Start:
    """How a Blender is started; what it has opened is not part of it."""

    blender: Blender
    trusted: bool
    threads: int


@dataclass
class Kept:
    """A Blender with a file open, between tasks."""

    session: BlenderSession
    identity: Identity
    jobs: deque[str] = field(default_factory=lambda: deque(maxlen=JOBS_REMEMBERED))
    tasks: int = 0
    rss_bytes: int = 0
    idle_since: float = 0.0


class Slots:
    """At most one Blender per slot. Thread-safe; a slot is used by one thread at a time."""

    def __init__(self, root: Path, environment: Mapping[str, str], addons: tuple[str, ...], clock: Clock) -> None:
        self._root = root
        self._environment = environment
        self._addons = addons
        self._clock = clock
        self._lock = threading.Lock()
        self._idle: dict[int, Kept] = {}
        self._running: set[BlenderSession] = set()
        self._spare: tuple[Start, BlenderSession] | None = None
        self._last: Start | None = None
        self._used_at = float("-inf")
        self._closed = False

    @contextmanager
    def session(self, work: Work, blender: Blender, watch: Watch) -> Iterator[BlenderSession]:
        """A Blender that has the task's file open, kept for the next task if it is alive after the block.

        Raises:
            RenderFailed: the file cannot be opened.
        """
        kept = self._take(work, blender, watch)
        try:
            yield kept.session
        except RenderFailed:
            self._give_back(work, kept)  # alive still where the task was refused and nothing was done
            raise
        except BaseException:
            self._end(kept.session)
            raise
        self._give_back(work, kept)

    def probe(self, blender: Blender) -> dict[str, Any]:
        """What a Blender says of itself, or why it says nothing ("error")."""
        about = {"path": str(blender.path), "kind": blender.kind}
        silent = Reporter(lambda _fraction, _note: None, lambda _line: None, threading.Event())
        try:
            session = self._start(Start(blender, trusted=False, threads=1))
            try:
                said = session.ask({"op": "probe"}, Watch(silent, self._clock, PROBE_TIMEOUT_S))
            finally:
                self._end(session)
        except RenderFailed as failed:
            return {**about, "error": failed.message}
        return {**about, **said["capabilities"]}

    def warm(self) -> list[str]:
        """Jobs whose file is open. Ends Blenders that died or that nobody has needed for long."""
        now = self._clock.monotonic()
        with self._lock:
            stale = [
                slot
                for slot, kept in self._idle.items()
                if not kept.session.alive or now - kept.idle_since > IDLE_S_MAX
            ]
            ended = [self._idle.pop(slot) for slot in stale]
            jobs = {job for kept in self._idle.values() for job in kept.jobs}
            spare = self._take_spare() if now - self._used_at > IDLE_S_MAX else None
        for session in [kept.session for kept in ended] + ([spare[1]] if spare else []):
            session.kill()
        return sorted(jobs)

    def get_ready(self) -> None:
        """Have an empty Blender standing by, like the one that was used last; none if none was used lately."""
        with self._lock:
            wanted = self._last
            unused = self._clock.monotonic() - self._used_at > IDLE_S_MAX
            if wanted is None or unused or self._running or self._closed:
                return
            if self._spare is not None and self._spare[0] == wanted and self._spare[1].alive:
                return
            old = self._take_spare()
        if old is not None:
            old[1].kill()
        session = self._start(wanted)
        with self._lock:
            self._running.discard(session)
            if not self._closed:
                self._spare = (wanted, session)

    def forget(self, job: str) -> None:
        """End idle Blenders that have, or have had, the job's file open."""
        with self._lock:
            slots = [slot for slot, kept in self._idle.items() if job in kept.jobs]
            ended = [self._idle.pop(slot) for slot in slots]
        for kept in ended:
            kept.session.kill()

    def close(self) -> None:
        """End all Blenders, also those at work; no new one is started."""
        with self._lock:
            self._closed = True
            sessions = [*self._running, *(kept.session for kept in self._idle.values())]
            spare = self._take_spare()
            self._idle.clear()
        sessions += [spare[1]] if spare else []
        for session in sessions:
            session.kill()

    def _take(self, work: Work, blender: Blender, watch: Watch) -> Kept:
        assert work.scene_path is not None, "the runner has looked"
        trusted = work.lease.scene.trusted
        identity = identify(work.scene_path, blender, trusted=trusted, threads=work.threads)
        with self._lock:
            kept = self._idle.pop(work.slot, None)
        if kept is not None:
            with self._lock:
                self._running.add(kept.session)
            if kept.identity == identity and self._answers(kept.session, watch):
                return kept
            self._end(kept.session)
        session = self._fresh(Start(blender, trusted, work.threads))
        watch.doing = "opening the scene"
        command = {"op": "open", "path": str(work.scene_path), "trusted": trusted, "threads": work.threads}
        command["manifest"] = str(work.manifest) if work.manifest is not None else ""
        try:
            opened = session.ask({**command, "addons": list(self._addons)}, watch)
        except BaseException:
            self._end(session)
            raise
        if opened["blocked"]:
            watch.reporter.log(f"{opened['blocked']} was not run, because the scene is not trusted.")
        return Kept(session, identity)

    def _answers(self, session: BlenderSession, watch: Watch) -> bool:
        """Whether an idle Blender is still there: it may have died, or hang, since its last task."""
        try:
            session.ask({"op": "ping"}, Watch(watch.reporter, self._clock, PING_TIMEOUT_S))
        except RenderFailed:
            return False
        return True

    def _fresh(self, start: Start) -> BlenderSession:
        """A Blender that has not opened anything yet: the one that stands by if it is of this kind, else a new one."""
        with self._lock:
            self._last, self._used_at = start, self._clock.monotonic()
            spare = self._take_spare() if self._spare is not None and self._spare[0] == start else None
            if spare is not None and spare[1].alive and not self._closed:
                self._running.add(spare[1])
                return spare[1]
        if spare is not None:
            spare[1].kill()
        return self._start(start)

    def _take_spare(self) -> tuple[Start, BlenderSession] | None:
        """The one that stands by, which it then does no more. Called under the lock."""
        spare, self._spare = self._spare, None
        return spare

    def _start(self, start: Start) -> BlenderSession:
        with self._lock:
            if self._closed:
                raise RenderCancelled
        session = BlenderSession(
            start.blender, self._environment, self._root, trusted=start.trusted, threads=start.threads
        )
        with self._lock:
            self._running.add(session)
            closed = self._closed
        if closed:
            self._end(session)
            raise RenderCancelled
        return session

    def _give_back(self, work: Work, kept: Kept) -> None:
        """Keep a Blender for the next task of its slot, unless it died, grew, or has served long enough."""
        kept.tasks += 1
        kept.idle_since = self._used_at = self._clock.monotonic()
        rss_bytes = kept.session.rss_bytes()
        kept.rss_bytes = kept.rss_bytes or rss_bytes
        grown = rss_bytes - kept.rss_bytes > RSS_GROWTH_MAX_BYTES
        if work.lease.job in kept.jobs:
            kept.jobs.remove(work.lease.job)
        kept.jobs.append(work.lease.job)
        with self._lock:
            self._running.discard(kept.session)
            keep = kept.session.alive and not grown and kept.tasks < TASKS_PER_PROCESS and not self._closed
            if keep:
                self._idle[work.slot] = kept
        if not keep:
            kept.session.kill()

    def _end(self, session: BlenderSession) -> None:
        session.kill()
        with self._lock:
            self._running.discard(session)
