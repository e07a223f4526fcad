"""The conversation with the scheduler: lanes of syncs, each a thread with a connection of its own.

*poll* keeps a long-poll parked, so that a cancel or new work arrives at once; when the wish that is parked is out of
date, the second poll lane parks a new one, and the scheduler answers the older. *report* sends what has ended together
with the wish for more (an exchange), without waiting. *renew* does nothing but renew, so that neither rendering nor a
slow exchange can cost a lease. When each is due is decided by pure functions over a `View`; what is said comes from
the agent.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scheduler.protocol.work import SyncReply, SyncRequest
from worker.actions import RETRIED, Asked
from worker.backoff import Backoff, jittered
from worker.client import CallFailed, Lane, SchedulerClient, TokenUnknown, Unreachable, WorkerUnknown
from worker.clock import Clock
from worker.settings import WorkerSettings
from worker.telemetry import logger

COALESCE_S = 0.02
"""How long the wish for a prefetched lease waits for a report to travel with."""

IDLE_CHECK_S = 5.0
"""A lane with nothing to do looks again after this long, should a wake-up ever be missed."""

POLLS_MAX = 2
"""A parked poll and the one that replaces it."""

HASTY_SHARE = 0.5
"""An empty answer before this share of the time asked for, for which this worker gave no reason, is hasty."""

HASTY_FIRST_S, HASTY_MAX_S = 0.05, 1.0
"""Pauses after hasty answers: a scheduler that is about to stop does not let polls wait."""

DRAINED_POLL_S = 1.0
"""How often a drained worker asks whether it still is; the scheduler does not let it wait."""

GOODBYE_WAIT_S = 0.01
"""The last sync waits for a moment, because only a call that waits takes the place of a parked one."""

LEASE_SHARE_MAX = 0.75
"""A renewal is never later than this share of the lease, whatever interval the scheduler asks for."""

_log = logger("session")


@dataclass(frozen=True)
class Outgoing:
    """A sync ready to go: what is said, and what the agent must know of it when the answer comes."""

    request: SyncRequest
    asked: Asked


@dataclass(frozen=True)
class View:
    """What pacing depends on. `renewed_at` is the oldest renewal among held leases, None when nothing is held."""

    want: int
    starved: bool
    reports: int
    renewed_at: float | None
    lease_s: float
    draining: bool = False
    leaving: bool = False


class SessionPort(Protocol):
    """What the session needs of the agent. All but `answered`, `failed` and `unknown` are called under `changed`."""

    changed: threading.Condition

    def worker_id(self) -> str:
        """The id to speak as."""
        ...

    def view(self, now: float) -> View:
        """A snapshot for pacing."""
        ...

    def compose(self, now: float, *, reports: bool, wanted: int, wait_s: float) -> Outgoing:
        """What to say now; reports that are taken along count as travelling until answered or failed."""
        ...

    def answered(self, outgoing: Outgoing, reply: SyncReply) -> None:
        """The scheduler has answered."""
        ...

    def failed(self, outgoing: Outgoing, error: CallFailed) -> None:
        """There was no usable answer."""
        ...

    def unknown(self, error: CallFailed) -> None:
        """The scheduler does not know this worker, or its token."""
        ...


@dataclass
class Traffic:
    """What is on the wire and what was heard last. Guarded by the port's `changed`.

    `parked_want` is what the newest parked poll asks for, None when none is parked; `polls` counts parked polls, older
    ones included; `sent` counts all syncs; `differs_since` is when the wish began to differ from what is parked;
    `told_leaving` says that the newest sync told that the worker is about to go.
    """

    next_sync_s: float
    parked_want: int | None = None
    polls: int = 0
    sent: int = 0
    differs_since: float | None = None
    exchanging: bool = False
    last_reply_at: float = float("-inf")
    report_after: float = float("-inf")
    poll_after: float = float("-inf")
    renew_after: float = float("-inf")
    offline: bool = False
    told_leaving: bool = False
    closing: bool = False


def exchange_wait_s(view: View, traffic: Traffic, now: float) -> float:
    """Seconds until an exchange is due; 0 is now."""
    if not view.reports:
        return IDLE_CHECK_S
    return max(0.0, traffic.report_after - now)


def exchange_want(view: View, traffic: Traffic) -> int:
    """Leases for an exchange to ask for: what a parked poll asks for already is not asked for twice."""
    return max(0, view.want - (traffic.parked_want or 0))


def poll_wait_s(view: View, traffic: Traffic, settle_s: float, now: float) -> float:
    """Seconds until a poll is to be parked. Never beside an exchange; a busy worker lets exchanges settle first.

    A parked poll is replaced when the wish has changed: at once if a slot idles, after a moment for a prefetched
    lease (a report may come to travel with), and when things have settled if it asks for too much; and at once when the
    scheduler does not know yet that the worker is about to go.
    """
    if traffic.exchanging or traffic.polls >= POLLS_MAX:
        return IDLE_CHECK_S
    if now < traffic.poll_after:
        return traffic.poll_after - now
    if view.leaving and not traffic.told_leaving:
        return 0.0
    if traffic.parked_want is None:
        return 0.0 if view.want else max(0.0, traffic.last_reply_at + settle_s - now)
    if view.want == traffic.parked_want:
        return IDLE_CHECK_S
    more = view.want > traffic.parked_want
    if more and view.starved:
        return 0.0
    since = now if traffic.differs_since is None else traffic.differs_since
    return max(0.0, since + (COALESCE_S if more else settle_s) - now)


def renew_wait_s(view: View, traffic: Traffic, interval_s: float, now: float) -> float:
    """Seconds until a renewal is due, for an interval that is already jittered."""
    if view.renewed_at is None:
        return IDLE_CHECK_S
    due_at = view.renewed_at + min(interval_s, LEASE_SHARE_MAX * view.lease_s)
    return max(0.0, due_at - now, traffic.renew_after - now)


class Session:
    """The lanes of one worker."""

    def __init__(
        self,
        settings: WorkerSettings,
        port: SessionPort,
        *,
        client: SchedulerClient,
        clock: Clock,
        rng: random.Random,
        next_sync_s: float,
    ) -> None:
        self._settings, self._port, self._client, self._clock, self._rng = settings, port, client, clock, rng
        self._traffic = Traffic(next_sync_s)
        self._newest_poll = 0
        self._hasty = Backoff(HASTY_FIRST_S, HASTY_MAX_S, rng)

    def lanes(self) -> dict[str, Callable[[], None]]:
        """The loops, each to be run in a thread of its own."""
        return {
            "poll-a": lambda: self._poll_lane("poll-a"),
            "poll-b": lambda: self._poll_lane("poll-b"),
            "report": self._report_lane,
            "renew": self._renew_lane,
        }

    def close(self) -> None:
        """End the lanes. A last sync makes the scheduler answer a poll that is still parked."""
        with self._port.changed:
            self._traffic.closing = True
            self._port.changed.notify_all()

    def _report_lane(self) -> None:
        backoff, traffic = self._new_backoff(), self._traffic
        while self._wait_until(lambda view, now: exchange_wait_s(view, traffic, now)):
            with self._port.changed:
                wanted = exchange_want(self._port.view(self._clock.monotonic()), traffic)
                outgoing = self._compose(reports=True, wanted=wanted, wait_s=0.0)
                traffic.exchanging = True
            delay_s, _ = self._send("report", outgoing, backoff)
            with self._port.changed:
                traffic.exchanging = False
                traffic.report_after = self._clock.monotonic() + delay_s
                self._port.changed.notify_all()
        with self._port.changed:
            if not traffic.polls:
                return
            outgoing = self._compose(reports=True, wanted=0, wait_s=GOODBYE_WAIT_S)
        self._send("report", outgoing, backoff)

    def _poll_lane(self, lane: Lane) -> None:
        backoff, traffic = self._new_backoff(), self._traffic
        while (outgoing := self._park()) is not None:
            mine, began = self._newest_poll, self._clock.monotonic()
            delay_s, reply = self._send(lane, outgoing, backoff)
            with self._port.changed:
                now = self._clock.monotonic()
                traffic.polls -= 1
                if mine == self._newest_poll:
                    traffic.parked_want = None
                if reply is not None and reply.drain:
                    delay_s = DRAINED_POLL_S
                elif reply is not None and mine == traffic.sent and is_hasty(outgoing.request, reply, now - began):
                    delay_s = self._hasty.next_s()
                elif reply is not None:
                    self._hasty.reset()
                traffic.poll_after = max(traffic.poll_after, now + delay_s) if delay_s else traffic.poll_after
                self._port.changed.notify_all()

    def _park(self) -> Outgoing | None:
        """Wait until a poll is due, then say what it says; None when the lanes are closed."""
        traffic = self._traffic

        def wait_s(view: View, now: float) -> float:
            differs = traffic.parked_want is not None and view.want != traffic.parked_want
            if not differs:
                traffic.differs_since = None
            elif traffic.differs_since is None:
                traffic.differs_since = now
            return poll_wait_s(view, traffic, self._settings.settle_s, now)

        with self._port.changed:
            if not self._wait_until(wait_s):
                return None
            longest_s = min(self._settings.poll_wait_s, jittered(traffic.next_sync_s, self._rng))
            view = self._port.view(self._clock.monotonic())
            if traffic.offline or view.draining:
                longest_s = 0.0  # that there is an answer counts: is the scheduler there, is this worker enabled again?
            outgoing = self._compose(reports=False, wanted=view.want, wait_s=longest_s)
            traffic.parked_want, traffic.differs_since = view.want, None
            traffic.polls += 1
            self._newest_poll = traffic.sent
            return outgoing

    def _renew_lane(self) -> None:
        backoff, traffic = self._new_backoff(), self._traffic
        while True:
            interval_s = jittered(traffic.next_sync_s, self._rng)
            if not self._wait_until(
                lambda view, now, interval_s=interval_s: renew_wait_s(view, traffic, interval_s, now)
            ):
                return
            with self._port.changed:
                outgoing = self._compose(reports=False, wanted=0, wait_s=0.0)
            delay_s, _ = self._send("renew", outgoing, backoff)
            with self._port.changed:
                traffic.renew_after = self._clock.monotonic() + delay_s

    def _wait_until(self, wait_s: Callable[[View, float], float]) -> bool:
        """Wait until `wait_s` of the present view is 0; False when the lanes are closed instead."""
        with self._port.changed:
            while not self._traffic.closing:
                now = self._clock.monotonic()
                left_s = wait_s(self._port.view(now), now)
                if left_s <= 0:
                    return True
                self._port.changed.wait(left_s)
            return False

    def _new_backoff(self) -> Backoff:
        return Backoff(self._settings.backoff_base_s, self._settings.backoff_cap_s, self._rng)

    def _compose(self, *, reports: bool, wanted: int, wait_s: float) -> Outgoing:
        self._traffic.sent += 1
        outgoing = self._port.compose(self._clock.monotonic(), reports=reports, wanted=wanted, wait_s=wait_s)
        self._traffic.told_leaving = bool(outgoing.request.leaving)
        return outgoing

    def _send(self, lane: Lane, outgoing: Outgoing, backoff: Backoff) -> tuple[float, SyncReply | None]:
        """One sync; returns how many seconds this lane must now be silent, and the answer if there was one."""
        try:
            reply = self._client.sync(lane, self._port.worker_id(), outgoing.request)
        except CallFailed as error:
            with self._port.changed:
                self._traffic.offline = isinstance(error, Unreachable)
            self._port.failed(outgoing, error)
            if isinstance(error, TokenUnknown | WorkerUnknown):
                self._port.unknown(error)
            delay_s = backoff.next_s(error.retry_after_s)
            _log.info("sync_failed", lane=lane, reason=error.message, retry_s=round(delay_s, 2))
            return delay_s, None
        with self._port.changed:
            self._heard(reply.next_sync_s)
        self._port.answered(outgoing, reply)
        taken = {(ack.task, ack.attempt) for ack in reply.acks if ack.status not in RETRIED}
        if any((ref.task, ref.attempt) not in taken for ref in outgoing.asked.reported):
            return backoff.next_s(), reply  # a report was not taken: say it again, but not at once
        backoff.reset()
        return 0.0, reply

    def _heard(self, next_sync_s: float) -> None:
        """The scheduler has answered: note its rhythm; after an outage, nothing needs to wait any longer."""
        traffic = self._traffic
        traffic.next_sync_s = next_sync_s if next_sync_s > 0 else traffic.next_sync_s
        traffic.last_reply_at = self._clock.monotonic()
        if traffic.offline:
            traffic.offline = False
            traffic.report_after = traffic.poll_after = traffic.renew_after = float("-inf")
            self._port.changed.notify_all()


def is_hasty(request: SyncRequest, reply: SyncReply, took_s: float) -> bool:
    """An answer that came early although it says nothing, and although this worker did not ask anew meanwhile."""
    return not (reply.leases or reply.cancel) and took_s < HASTY_SHARE * request.wait_s
