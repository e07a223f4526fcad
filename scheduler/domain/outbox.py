"""What becomes of messages to production's tracker: their keys, their order, their patience, and when to keep quiet.

Pure. A message is written once and delivered until the tracker has it, refuses it, or holds something else that a
person has put there; that is shown and never overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

BACKOFF_FIRST_S = 5.0
BACKOFF_DOUBLINGS_MAX = 16


class MessageKind(StrEnum):
    """What a message is about."""

    VERSION = "version"
    TASK_STATUS = "task_status"


class MessageStatus(StrEnum):
    """Where a message stands."""

    PENDING = "PENDING"
    SENT = "SENT"
    CONFLICT = "CONFLICT"
    REFUSED = "REFUSED"
    DROPPED = "DROPPED"


OPEN_FOR_PEOPLE = frozenset({MessageStatus.PENDING, MessageStatus.CONFLICT, MessageStatus.REFUSED})
"""Statuses in which a person may retry or drop a message."""


class StatusMove(StrEnum):
    """What to do about a status in the tracker."""

    DONE = "done"
    WRITE = "write"
    CONFLICT = "conflict"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A pending message; messages of one job are delivered in the order of their ids."""

    id: int
    job: int
    next_at: float


def version_key(farm_id: str, job: int) -> str:
    """The one key of a job's Version, however often the job is retried. Unique among all farms that write to a site."""
    return f"version:{farm_id}:{job}"


def task_key(farm_id: str, job: int, number: int) -> str:
    """The key of the `number`th status that a job gives to its Task."""
    return f"task:{farm_id}:{job}:{number}"


def marker(key: str) -> str:
    """What is put into a Version's description, so that it is found again by whoever has forgotten its number."""
    return f"[outfield {key}]"


def due(waiting: Iterable[Waiting], now_s: float) -> list[int]:
    """Ids of the messages whose turn it is: the first of each job, unless it is in its pause; longest waiting first."""
    first: dict[int, Waiting] = {}
    for message in sorted(waiting, key=lambda message: message.id):
        first.setdefault(message.job, message)
    ready = [message for message in first.values() if message.next_at <= now_s]
    return [message.id for message in sorted(ready, key=lambda message: (message.next_at, message.id))]


def backoff_s(tries: int, longest_s: float) -> float:
    """The pause after the `tries`th failure in a row (1 is the first), doubling up to `longest_s`."""
    doublings = min(max(tries - 1, 0), BACKOFF_DOUBLINGS_MAX)
    return min(longest_s, BACKOFF_FIRST_S * 2.0**doublings)


def weigh_status(found: str, wanted: str, expected: str | None) -> StatusMove:
    """May `found`, the status that the tracker holds now ("": none), become `wanted`?

    `expected` is what the farm believes to be there: what it wrote last, else what it read last; None: it has no idea,
    and what is found is taken as it is. Anything else was put there by a person meanwhile, and stays.
    """
    if found == wanted:
        return StatusMove.DONE
    if expected is None or found == expected:
        return StatusMove.WRITE
    return StatusMove.CONFLICT
