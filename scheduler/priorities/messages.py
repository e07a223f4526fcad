"""Messages of the outbox while they are delivered: what they say, what has been done of them, how they end.

Every step that was done is remembered before the next one begins. A message that a person has dropped, or that was
queued anew, while it was being delivered is `Superseded`: nothing more is written to it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from scheduler.clock import Clock
from scheduler.domain.outbox import MessageKind, MessageStatus
from scheduler.priorities.outbox import due_messages, last_written
from scheduler.store.production import Outgoing
from scheduler.store.store import Store
from scheduler.store.transaction import Transaction


class Superseded(Exception):
    """The message is not the one that was begun."""


@dataclass
class Message:
    """A message that is being delivered; `steps` is what has been done of it."""

    id: int
    key: str
    kind: MessageKind
    job: int
    payload: dict[str, Any]
    steps: dict[str, Any]
    tries: int

    @property
    def round(self) -> int:
        """How often it has been queued anew."""
        return int(self.payload.get("round", 0))


@dataclass(frozen=True)
class Outcome:
    """How a delivery ended: SENT or CONFLICT, with words for people."""

    status: MessageStatus = MessageStatus.SENT
    words: str = ""
    steps: dict[str, Any] = field(default_factory=dict[str, Any])


class Mailbox:
    """The outbox as the one who delivers sees it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def now_s(self) -> float:
        """Wall time in seconds since the epoch."""
        return self._clock.now().timestamp()

    async def due(self) -> list[int]:
        """Ids of the messages whose turn it is."""
        return await asyncio.to_thread(self._due)

    async def open(self, number: int) -> Message | None:
        """A message that is still to be delivered; None if it is not any more."""
        return await asyncio.to_thread(self._open, number)

    async def last_written(self, task_id: int, since_s: float) -> str | None:
        """The status that this farm gave a Task last, if it did since then."""

        def read() -> str | None:
            with self._store.read() as session:
                return last_written(session, task_id, since_s)

        return await asyncio.to_thread(read)

    async def remember(self, message: Message, **steps: Any) -> None:
        """Put steps on record before anything else is done.

        Raises:
            Superseded: the message was dropped or queued anew meanwhile.
        """

        def change(tx: Transaction) -> None:
            row = _current(tx, message)
            row.steps = {**row.steps, **steps}

        await self._store.awrite(change)
        message.steps.update(steps)

    async def settle(self, message: Message, status: MessageStatus, words: str, steps: dict[str, Any]) -> None:
        """End a message: it is sent, refused, or in conflict."""

        def change(tx: Transaction) -> None:
            row = _current(tx, message)
            row.status, row.error, row.steps = status.value, words, {**row.steps, **steps}
            row.done_at = self.now_s() if status is MessageStatus.SENT else None

        await self._store.awrite(change)

    async def postpone(self, message: Message, words: str, pause_s: float) -> None:
        """Try again after a pause."""

        def change(tx: Transaction) -> None:
            row = _current(tx, message)
            row.tries, row.error, row.next_at = row.tries + 1, words, self.now_s() + pause_s

        await self._store.awrite(change)

    def _due(self) -> list[int]:
        with self._store.read() as session:
            return due_messages(session, self.now_s())

    def _open(self, number: int) -> Message | None:
        with self._store.read() as session:
            row = session.get(Outgoing, number)
        if row is None or row.status != MessageStatus.PENDING:
            return None
        kind = MessageKind(row.kind)
        return Message(number, row.key, kind, row.job_id, dict(row.payload), dict(row.steps), row.tries)


def _current(tx: Transaction, message: Message) -> Outgoing:
    row = tx.session.get(Outgoing, message.id)
    if row is None or row.status != MessageStatus.PENDING or int(row.payload.get("round", 0)) != message.round:
        raise Superseded
    return row
