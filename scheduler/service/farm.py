"""What every use case works with: the store, the clock, the settings, and the farm as it is in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from scheduler.clock import Clock
from scheduler.domain.expiry import Rhythm
from scheduler.priorities.outbox import Outbox
from scheduler.priorities.syncing import Tracker
from scheduler.routing.rules import EMPTY_BOOK, RuleBook
from scheduler.security.authority import Authority
from scheduler.service.ledger import Ledger
from scheduler.service.live import Live
from scheduler.service.site_board import SiteBoard
from scheduler.settings import Settings
from scheduler.store.store import Store
from scheduler.store.transaction import Transaction

Result = TypeVar("Result")


@dataclass
class Farm:
    """One running scheduler's collaborators, made in `bootstrap` and handed to every use case."""

    store: Store
    clock: Clock
    settings: Settings
    live: Live
    book: RuleBook = EMPTY_BOOK
    """The routing rules in force."""
    url: str = ""
    """Where it serves, once it does; what workers of pools without a URL of their own are told."""
    id: str = ""
    """The farm's own id, by which other farms know it again."""
    sites: SiteBoard = field(default_factory=SiteBoard)
    """Other farms that jobs may be handed over to."""
    tracker: Tracker | None = None
    outbox: Outbox | None = None
    authority: Authority | None = None
    """Who vouches for workers, where the farm serves HTTPS."""

    @property
    def rhythm(self) -> Rhythm:
        """How long leases last."""
        farm = self.settings.farm
        return Rhythm(farm.lease_s, farm.renew_s, farm.grace_s)

    @property
    def direct(self) -> bool:
        """Whether workers may be handed signed URLs of the farm's store."""
        return self.store.frames.remote and self.settings.storage.direct

    def now_s(self) -> float:
        """Wall time in seconds since the epoch, UTC."""
        return self.clock.now().timestamp()

    def ledger(self) -> Ledger:
        """A new ledger for one transaction."""
        return Ledger(self.now_s(), self.settings.farm.failed_tasks_max, self.outbox)

    async def change(self, function: Callable[[Transaction, Ledger], Result]) -> Result:
        """Run a change with a ledger of its own, settle it, and bring memory up to date after the commit."""
        ledger = self.ledger()

        def run(tx: Transaction) -> Result:
            result = function(tx, ledger)
            ledger.settle(tx)
            return result

        result = await self.store.awrite(run)
        self.live.apply(ledger)
        return result


def iso(seconds: float | None) -> str | None:
    """Seconds since the epoch as ISO 8601 in UTC; None stays None."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def job_number(text: str) -> int | None:
    """The number behind a jobID such as `00042`; None if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None
