"""Delivery of the outbox: round by round, in a thread and on a connection of its own, beside everything else.

A site that cannot be reached ends the round; the message waits, longer after each failure, and the others of its job
wait behind it. A message that the site refuses is shown with the site's words, and the others go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from scheduler.clock import Clock
from scheduler.domain.outbox import MessageKind, MessageStatus, backoff_s
from scheduler.priorities.client import Site
from scheduler.priorities.material import Movies, Previews, Studio
from scheduler.priorities.messages import Mailbox, Message, Outcome, Superseded
from scheduler.priorities.site_thread import SiteThread
from scheduler.priorities.statuses import StatusWriter
from scheduler.priorities.troubles import Trouble
from scheduler.priorities.versions import VersionWriter
from scheduler.settings import ShotGridSettings
from scheduler.store.store import Store

DELIVER_INTERVAL_S = 5.0
"""How often the outbox is looked at."""

log = structlog.get_logger()


@dataclass
class Round:
    """What one round has come to."""

    sent: int = 0
    refused: int = 0
    conflicts: int = 0
    postponed: int = 0


class Courier:
    """Delivers what is in the outbox. One round at a time; `close` ends its connection."""

    def __init__(self, mailbox: Mailbox, site: SiteThread, studio: Studio, settings: ShotGridSettings) -> None:
        self._mailbox, self._site, self._settings, self._studio = mailbox, site, settings, studio
        self._versions = VersionWriter(mailbox, site, studio, settings.write)
        self._statuses = StatusWriter(mailbox, site)
        self._turn = asyncio.Lock()

    async def deliver(self) -> Round:
        """Deliver what is due, until nothing is or the site cannot be reached."""
        done = Round()
        async with self._turn:
            while numbers := await self._mailbox.due():
                for number in numbers:
                    if not await self._deliver(number, done):
                        return done
        return done

    def close(self) -> None:
        """Hang up."""
        self._site.close()

    async def _deliver(self, number: int, done: Round) -> bool:
        """Deliver one message; False if the site cannot be reached."""
        message = await self._mailbox.open(number)
        if message is None:
            return True
        try:
            outcome = await self._send(message)
            await self._mailbox.settle(message, outcome.status, outcome.words, outcome.steps)
        except Superseded:
            return True
        except Trouble as trouble:
            return await self._trouble(message, trouble, done)
        except Exception as error:
            log.exception("outbox.failed", message=message.key, job=message.job)
            await self._postpone(message, f"The farm could not make this message: {error}", 0.0)
            done.postponed += 1
            return True
        done.sent += outcome.status is MessageStatus.SENT
        done.conflicts += outcome.status is MessageStatus.CONFLICT
        log.info("outbox.delivered", message=message.key, job=message.job, status=outcome.status.value)
        return True

    async def _send(self, message: Message) -> Outcome:
        if message.kind is MessageKind.VERSION:
            return await self._versions.deliver(message)
        return await self._statuses.deliver(message, await self._studio.submitted_at(message.job))

    async def _trouble(self, message: Message, trouble: Trouble, done: Round) -> bool:
        log.warning("outbox.trouble", message=message.key, job=message.job, reason=trouble.message)
        if not trouble.fault:
            await self._postpone(message, trouble.message, trouble.retry_s or 0.0)
            done.postponed += 1
            return False
        try:
            await self._mailbox.settle(message, MessageStatus.REFUSED, trouble.message, {})
        except Superseded:
            return True
        done.refused += 1
        return True

    async def _postpone(self, message: Message, words: str, least_s: float) -> None:
        pause_s = max(least_s, backoff_s(message.tries + 1, self._settings.backoff_max_s))
        try:
            await self._mailbox.postpone(message, words, pause_s)
        except Superseded:
            log.info("outbox.superseded", message=message.key, job=message.job)


def make_courier(
    settings: ShotGridSettings,
    *,
    store: Store,
    clock: Clock,
    previews: Previews,
    movies: Movies,
    prices: Mapping[str, float],
    farm_name: str,
) -> Courier:
    """A courier with a connection of its own."""
    studio = Studio(store, previews, movies, settings.write, prices, farm_name)
    return Courier(Mailbox(store, clock), SiteThread(Site(settings), "shotgrid-write"), studio, settings)
