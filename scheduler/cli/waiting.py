"""Waiting for a job: told by server-sent events, asking now and then besides, and every second while there are none."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from scheduler.cli.client import Client
from scheduler.cli.connection import Connection
from scheduler.cli.exits import JobFailed, Unplaceable, Unreachable
from scheduler.clock import Clock
from scheduler.errors import OutfieldError

ENDED = frozenset({"SUCCEEDED", "FAILED", "CANCELED"})

TOLD_POLL_S = 2.0
"""How often to ask while events arrive: for the progress inside a task, which is no event."""

UNTOLD_POLL_S = 1.0
"""How often to ask while no events can be had."""

AWAY_MAX_S = 60.0
"""How long the scheduler may be away (a restart) before waiting is given up."""

UNPLACEABLE_S = 10.0
"""How long no pool must be able to take the job before that is believed: workers may just be joining."""

FAILURES_SHOWN = 3

Show = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Patience:
    """What ends the wait besides the job's own end."""

    away_max_s: float = AWAY_MAX_S
    unplaceable_s: float | None = None


def wait_for_end(client: Client, job: str, show: Show, *, clock: Clock, patience: Patience) -> dict[str, Any]:
    """Wait until the job has ended, showing it whenever it may have changed; returns it.

    Raises:
        Unreachable: the scheduler was away too long. Unplaceable: no pool may take the job.
    """
    last_heard_s, stuck_since_s = clock.monotonic(), None
    with listening(client.connection, job) as news:
        while True:
            try:
                found: dict[str, Any] = client.get(f"/jobs/{job}")
            except Unreachable:
                if clock.monotonic() - last_heard_s > patience.away_max_s:
                    raise
                news.wait()
                continue
            last_heard_s = clock.monotonic()
            show(found)
            if found["status"] in ENDED:
                return found
            if patience.unplaceable_s is not None:
                stuck_since_s = _stuck_since(client, found, stuck_since_s, clock.monotonic())
                if stuck_since_s is not None and last_heard_s - stuck_since_s >= patience.unplaceable_s:
                    raise _unplaceable(client, job)
            news.wait()


def succeed_or_raise(client: Client, job: Mapping[str, Any]) -> None:
    """Let a job that has succeeded pass.

    Raises:
        JobFailed: it has not; its first failures are in `details`.
    """
    if job["status"] == "SUCCEEDED":
        return
    failed = client.pages(f"/jobs/{job['jobID']}/tasks", {"status": "FAILED"}, FAILURES_SHOWN)
    details = [{"field": f"task {task['task']}", "problem": task["message"]} for task in failed]
    verb = "was canceled" if job["status"] == "CANCELED" else f"failed ({job['progress']['failed']} tasks)"
    raise JobFailed(f"Job {job['jobID']} {verb}.", details=details or None)


class News:
    """Whether something has happened to the job since one last looked."""

    def __init__(self) -> None:
        self.happened = threading.Event()
        self.arrives = False

    def wait(self) -> None:
        """Until something happens, or it is time to ask."""
        self.happened.wait(TOLD_POLL_S if self.arrives else UNTOLD_POLL_S)
        self.happened.clear()


@contextmanager
def listening(connection: Connection, job: str) -> Iterator[News]:
    """Listen to the job's events in a thread, on a connection of its own."""
    news, client, ended = News(), Client(connection), threading.Event()

    def listen() -> None:
        last_id = None
        while not ended.is_set():
            try:
                for event in client.events("/events", {"job": job}, last_id):
                    news.arrives = True
                    last_id = event.id or last_id
                    news.happened.set()
            except (OutfieldError, RuntimeError):  # RuntimeError: the client was closed below
                news.arrives = False
            ended.wait(UNTOLD_POLL_S)

    thread = threading.Thread(target=listen, name="events", daemon=True)
    thread.start()
    try:
        yield news
    finally:
        ended.set()
        client.close()


def _stuck_since(client: Client, job: Mapping[str, Any], since_s: float | None, now_s: float) -> float | None:
    """Since when nothing of the job runs and no pool could take it; None: it runs, or it could."""
    tasks = job["progress"]
    if job["status"] == "PAUSED" or tasks["running"] or not tasks["waiting"]:
        return None
    if client.get(f"/jobs/{job['jobID']}/why")["placeable"]:
        return None
    return now_s if since_s is None else since_s


def _unplaceable(client: Client, job: str) -> Unplaceable:
    reasons = client.get(f"/jobs/{job}/why")["waiting"]
    told = "; ".join(str(group["reason"]) for group in reasons)
    return Unplaceable(f"Job {job} cannot be placed anywhere: {told or 'no pool may take it'}. It stays in the queue.")
