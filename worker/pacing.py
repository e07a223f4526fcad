"""When each lane of the session is due: pure functions over what the agent holds and what is on the wire."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.protocol.work import SyncReply, SyncRequest

COALESCE_S = 0.02
"""How long the wish for a prefetched lease waits for a report to travel with."""

IDLE_CHECK_S = 5.0
"""A lane with nothing to do looks again after this long, should a wake-up ever be missed."""

POLLS_MAX = 2
"""A parked poll and the one that replaces it."""

HASTY_SHARE = 0.5
"""An empty answer before this share of the time asked for, for which this worker gave no reason, is hasty."""

LEASE_SHARE_MAX = 0.75
"""A renewal is never later than this share of the lease, whatever interval the scheduler asks for."""


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


def is_hasty(request: SyncRequest, reply: SyncReply, took_s: float) -> bool:
    """An answer that came early although it says nothing, and although this worker did not ask anew meanwhile."""
    return not (reply.leases or reply.cancel) and took_s < HASTY_SHARE * request.wait_s
