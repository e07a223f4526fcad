"""Statuses of Tasks, as the studio's settings map those of jobs: written only over what the farm expects to find."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.domain.outbox import MessageStatus, StatusMove, weigh_status
from scheduler.domain.versions import VersionLinks
from scheduler.priorities.links import NotThere
from scheduler.priorities.messages import Mailbox, Message, Outcome
from scheduler.priorities.outbox import STATUS_FIELD
from scheduler.priorities.site_thread import SiteThread
from scheduler.priorities.versions import resolve_links

TASK = "Task"


@dataclass
class StatusWriter:
    """Delivers messages about the status of Tasks."""

    mailbox: Mailbox
    site: SiteThread

    async def deliver(self, message: Message, submitted_at: float) -> Outcome:
        """Read what is there, and write unless a person has written meanwhile.

        ShotGrid knows no conditional write, so whoever changes the status in the milliseconds in between is
        overwritten; the site's history shows both.

        Raises:
            Trouble: the site cannot be reached, or refuses.
            Superseded: the message was dropped meanwhile.
        """
        number = _task_of(await resolve_links(self.mailbox, self.site, message))
        wanted = str(message.payload["status"])
        rows = await self.site.call(lambda site: site.find(TASK, [["id", "is", number]], [STATUS_FIELD], limit=1))
        if not rows:
            raise NotThere(f"There is no Task {number} in ShotGrid any more.")
        found, expected = rows[0].get(STATUS_FIELD) or "", await self._expected(message, number, submitted_at)
        move = weigh_status(found, wanted, expected)
        if move is StatusMove.CONFLICT:
            conflict = {"found": found, "expected": expected, "wanted": wanted}
            words = (
                f"Task {number} is {found!r} in ShotGrid; the farm expected {expected!r} and would write {wanted!r}."
            )
            return Outcome(MessageStatus.CONFLICT, words, {"task": number, "conflict": conflict})
        if move is StatusMove.WRITE:
            await self.site.call(lambda site: site.update(TASK, number, {STATUS_FIELD: wanted}))
        return Outcome(steps={"task": number, "wrote": wanted})

    async def _expected(self, message: Message, task: int, submitted_at: float) -> str | None:
        """What a person has accepted, what the farm wrote during this job, or what it had read when this was queued."""
        if "accepted" in message.payload:
            return str(message.payload["accepted"])
        return await self.mailbox.last_written(task, submitted_at) or message.payload.get("expected")


def _task_of(links: VersionLinks) -> int:
    if links.task is None:
        raise NotThere("The Task that the job names is not in ShotGrid, or there are several of that name.")
    return int(links.task["id"])
