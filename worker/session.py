"""The conversation with the scheduler: lanes of syncs, each a thread with a connection of its own.

*poll* keeps a long-poll parked, so that a cancel or new work arrives at once; when the wish that is parked is out of
date, the second poll lane parks a new one, and the scheduler answers the older. *report* sends what has ended together
with the wish for more (an exchange), without waiting. *renew* does nothing but renew, so that neither rendering nor a
slow exchange can cost a lease. When each is due is decided in `worker.pacing`; what is said comes from the agent.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from scheduler.protocol.work import SyncReply, SyncRequest
from worker.actions import RETRIED, Asked
from worker.answers import CallFailed, TokenUnknown, Unreachable, WorkerUnknown
from worker.backoff import Backoff, jittered
from worker.client import SchedulerClient
from worker.clock import Clock
from worker.connections import Lane
from worker.pacing import Traffic, View, exchange_wait_s, exchange_want, is_hasty, poll_wait_s, renew_wait_s
from worker.settings import WorkerSettings
from worker.telemetry import logger

HASTY_FIRST_S, HASTY_MAX_S = 0.05, 1.0
"""Pauses after hasty answers: a scheduler that is about to stop does not let polls wait."""

DRAINED_POLL_S = 1.0
"""How often a drained worker asks whether it still is; the scheduler does not let it wait."""

GOODBYE_WAIT_S = 0.01
"""The last sync waits for a moment, because only a call that waits takes the place of a parked one."""

_log = logger("session")


@dataclass(frozen=True)
class Outgoing:
    """A sync ready to go: what is said, and what the agent must know of it when the answer comes."""

    request: SyncRequest
    asked: Asked


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
