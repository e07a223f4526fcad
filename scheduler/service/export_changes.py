"""What was wished of a job while it lived, from its events: priority and deadline in force, and when it was held.

Events are kept for a while only (`farm.keep_events_days`); of an older job the trace tells what is known at its end.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from scheduler.domain.states import JobStatus
from scheduler.protocol.traces import Change
from scheduler.store.tables import Event, Job

PRIORITY_DEFAULT = 50
OVERRIDE = "override"


def changes_of(row: Job, events: Sequence[Event], origin_s: float) -> tuple[int, float | None, tuple[Change, ...]]:
    """The priority and the deadline (relative) at submission, and the changes since, oldest first."""
    own_deadline_s = None if row.deadline is None else row.deadline - origin_s
    changes: list[Change] = []
    if row.payload.get("paused"):
        changes.append(Change(at_s=max(0.0, row.submitted_at - origin_s), hold=True))
    overridden = False
    for event in events:
        at_s = max(0.0, event.at - origin_s)
        if event.kind == "job.priority":
            overridden = event.data.get("source") == OVERRIDE
            changes.append(Change(at_s=at_s, priority=_priority(event.data.get("new"), row.priority)))
        elif event.kind == "job.wish":
            wish: dict[str, Any] = event.data.get("new") or {}
            tracked_s = _time_s(wish.get("deadline"), origin_s)
            changes.append(
                Change(
                    at_s=at_s,
                    priority=None if overridden else _priority(wish.get("priority"), row.priority),
                    deadline_s=_earlier(own_deadline_s, tracked_s),
                )
            )
        elif JobStatus.PAUSED.value in (event.data.get("old"), event.data.get("new")):
            changes.append(Change(at_s=at_s, hold=event.data.get("new") == JobStatus.PAUSED.value))
    return _first_priority(row, events), _first_deadline(row, events, own_deadline_s, origin_s), tuple(changes)


def _first_priority(row: Job, events: Sequence[Event]) -> int:
    """What the first change changed; without one, what is in force."""
    for event in events:
        if event.kind == "job.priority":
            return _priority(event.data.get("old"), row.priority)
        if event.kind == "job.wish":
            before = (event.data.get("old") or {}).get("priority")
            return _priority(before, row.payload.get("priority", PRIORITY_DEFAULT))
    return _priority(row.tracked_priority, row.priority)


def _first_deadline(row: Job, events: Sequence[Event], own_s: float | None, origin_s: float) -> float | None:
    for event in events:
        if event.kind == "job.wish":
            return _earlier(own_s, _time_s((event.data.get("old") or {}).get("deadline"), origin_s))
    return _earlier(own_s, None if row.tracked_deadline is None else row.tracked_deadline - origin_s)


def _priority(value: Any, otherwise: int) -> int:
    wanted = value if isinstance(value, int | float) else otherwise
    return min(100, max(0, int(wanted)))


def _time_s(text: Any, origin_s: float) -> float | None:
    return datetime.fromisoformat(text).timestamp() - origin_s if isinstance(text, str) else None


def _earlier(one: float | None, other: float | None) -> float | None:
    known = [at_s for at_s in (one, other) if at_s is not None]
    return min(known) if known else None
