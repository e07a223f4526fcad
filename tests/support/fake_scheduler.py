"""A small scheduler for the worker's tests: it speaks the wire over real HTTP, in this process, and keeps a record.

Tasks are queued with `add`, faults are switched on by attributes, and `wait_for` waits on what happened, bounded.
It decides nothing clever: first come, first served, one attempt counter per task.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec
from fake_scheduler_http import error, ref_from, serve

from scheduler.protocol.work import Ack, Lease, Report, Scene, SyncReply, SyncRequest, TaskRef

JOIN_CODE = "JOIN-1234"
WAIT_S = 10.0


@dataclass
class Seen:
    """What the scheduler has seen. Times are `time.monotonic()`."""

    hellos: list[dict[str, Any]] = field(default_factory=list)
    syncs: list[tuple[float, SyncRequest]] = field(default_factory=list)
    reports: list[tuple[float, Report]] = field(default_factory=list)
    files: dict[tuple[str, str], bytes] = field(default_factory=dict)
    puts: list[tuple[float, str, str]] = field(default_factory=list)
    logs: dict[str, bytearray] = field(default_factory=dict)
    downloads: list[tuple[str, str]] = field(default_factory=list)
    leased: list[tuple[float, TaskRef]] = field(default_factory=list)


class FakeScheduler:
    """Use as a context manager; `url` is where it listens."""

    def __init__(self, *, lease_s: float = 20.0, renew_s: float = 6.0) -> None:
        self.seen = Seen()
        self.changed = threading.Condition()
        self.lease_s, self.renew_s = lease_s, renew_s
        self.blobs: dict[str, bytes] = {}
        self.token = "token-1"
        self.drain = False
        self.down = False
        """Closes every connection without an answer, as a scheduler that is not there."""
        self.sync_down = False
        """The same, for syncs alone: storage can still be reached."""
        self.stale: set[TaskRef] = set()
        self.unreadable = ""
        """A sync with a report whose message holds this is refused as a whole."""
        self.impatient = False
        """Answers every poll at once."""
        self.put_status = 0
        """Answer to every PUT when not 0."""
        self.log_status = 0
        self.cut_downloads_at = 0
        """Bytes after which a download breaks off, once."""
        self._queue: deque[Lease] = deque()
        self._current: dict[int, Lease] = {}
        self._cancel: set[TaskRef] = set()
        self._newest_poll = 0
        self._drain_told = False
        self._server = serve(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self.changed:
            self.down = True
            self.changed.notify_all()
        self._server.shutdown()
        self._server.server_close()

    # --- what tests do

    def add(self, task: int, *, attempt: int = 1, renderer: str = "null", **more: Any) -> TaskRef:
        """Queue a task."""
        lease = Lease(
            task=task,
            attempt=attempt,
            secret=f"secret-{task}-{attempt}",
            job=more.pop("job", "00001"),
            kind="render",
            renderer=renderer,
            frames=[task],
            format="png",
            settings=more.pop("settings", {}),
            scene=more.pop("scene", Scene()),
            lease_s=self.lease_s,
            **more,
        )
        with self.changed:
            self._queue.append(lease)
            self.changed.notify_all()
        return TaskRef(task, attempt)

    def script(self, task: int, attempt: int = 1, *, lease: dict[str, Any] | None = None, **script: Any) -> TaskRef:
        """Queue a task for the scripted runner, which does as it is told."""
        return self.add(task, attempt=attempt, renderer="scripted", settings=script, **(lease or {}))

    def cancel(self, ref: TaskRef) -> None:
        """Tell the worker to stop it, and take no more of it."""
        with self.changed:
            self._cancel.add(ref)
            self.stale.add(ref)
            self.changed.notify_all()

    def set_drain(self, drain: bool) -> None:
        """Tell the worker to drain, or to work again."""
        with self.changed:
            self.drain = drain
            self.changed.notify_all()

    def wait_for(self, what: Callable[[], Any], timeout_s: float = WAIT_S) -> Any:
        """Wait until `what()` is true; returns it."""
        with self.changed:
            met = self.changed.wait_for(what, timeout_s)
        assert met, f"not within {timeout_s} s; reports: {self.seen.reports[-3:]}, leased: {self.seen.leased[-3:]}"
        return met

    def parked_want(self) -> int | None:
        """What the worker's latest poll asks for; None before the first."""
        return next((sync.want for _, sync in reversed(self.seen.syncs) if sync.wait_s), None)

    def outcomes(self) -> dict[int, str]:
        """Task → outcome of its last report."""
        return {report.task: report.outcome for _, report in self.seen.reports}

    def report_of(self, ref: TaskRef) -> Report | None:
        """The report of an attempt, if it came."""
        return next(
            (report for _, report in self.seen.reports if (report.task, report.attempt) == (ref.task, ref.attempt)),
            None,
        )

    # --- the wire

    def join(self, body: bytes) -> tuple[int, Any]:
        hello = json.loads(body)
        with self.changed:
            self.seen.hellos.append(hello)
            self.changed.notify_all()
        if hello["join"] != JOIN_CODE:
            return 403, error("join_code_unknown", "The join code is not known.")
        return 201, {
            "worker": f"w{len(self.seen.hellos)}",
            "token": self.token,
            "lease_s": self.lease_s,
            "renew_s": self.renew_s,
            "grace_s": 10.0,
            "farm": "test",
        }

    def sync(self, body: bytes) -> tuple[int, Any]:
        request = msgspec.json.decode(body, type=SyncRequest)
        if self.unreadable and any(self.unreadable in report.message for report in request.reports):
            return 422, error("invalid_request", "A report cannot be read.")
        with self.changed:
            self._newest_poll += 1 if request.wait_s else 0
            number = self._newest_poll
            now = time.monotonic()
            self.seen.syncs.append((now, request))
            acks = [self._take(report, now) for report in request.reports]
            self.changed.notify_all()

            def ready() -> bool:
                superseded = number < self._newest_poll
                news = (request.want and self._queue) or self._cancelled(request) or self.drain != self._drain_told
                return bool(acks or superseded or self.impatient or self.down or self.sync_down or news)

            self.changed.wait_for(ready, request.wait_s)
            superseded = number < self._newest_poll and request.wait_s > 0
            leases = [] if superseded or self.down or self.sync_down else self._lease(request.want)
            cancel = self._cancelled(request)
            self._drain_told = self.drain
            self.changed.notify_all()
            return 200, SyncReply(leases, cancel, self.drain, self.renew_s, acks)

    def _cancelled(self, request: SyncRequest) -> list[TaskRef]:
        refs = [TaskRef(each.task, each.attempt) for each in request.running]
        return [ref for ref in refs if ref in self._cancel or ref in self.stale]

    def _lease(self, want: int) -> list[Lease]:
        leases = [self._queue.popleft() for _ in range(min(want, len(self._queue)))]
        for lease in leases:
            self._current[lease.task] = lease
            self.seen.leased.append((time.monotonic(), TaskRef(lease.task, lease.attempt)))
        return leases

    def _take(self, report: Report, now: float) -> Ack:
        ref = TaskRef(report.task, report.attempt)
        if ref in self.stale:
            return Ack(report.task, report.attempt, 409, "stale_attempt")
        self.seen.reports.append((now, report))
        return Ack(report.task, report.attempt, 200)

    def put(self, attempt: str, name: str, body: bytes, sha256: str) -> tuple[int, Any]:
        with self.changed:
            self.seen.puts.append((time.monotonic(), attempt, name))
            self.changed.notify_all()
            if self.put_status:
                return self.put_status, error("storage_low", "The farm's disk is full.")
            if ref_from(attempt) in self.stale:
                return 409, error("stale_attempt", "This attempt is no longer current.")
            if hashlib.sha256(body).hexdigest() != sha256:
                return 422, error("hash_mismatch", "The file arrived damaged.")
            self.seen.files[attempt, name] = body
            return 201, {}

    def log(self, attempt: str, offset: int, body: bytes) -> tuple[int, Any]:
        with self.changed:
            if self.log_status:
                return self.log_status, error("log_refused", "No log today.")
            text = self.seen.logs.setdefault(attempt, bytearray())
            if offset > len(text):
                return 422, error("gap", "The log would have a hole.")
            text += body[len(text) - offset :]
            self.changed.notify_all()
            return 200, {}
