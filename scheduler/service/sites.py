"""All sites of a farm: lets jobs leave as the plan says, and sends each site's liaison and porter on their rounds.

`poll` is what APScheduler calls; it starts what is due and waits for no network.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog
from sqlmodel import Session, col, func, select

from scheduler.domain.handover import HandoverState
from scheduler.service import handing_over
from scheduler.service.farm import Farm
from scheduler.service.ledger import Ledger
from scheduler.service.liaison import Liaison
from scheduler.service.plan import Departure, Plan
from scheduler.service.porter import Porter
from scheduler.service.site_board import Refusal, SiteNote
from scheduler.service.viewing import reading
from scheduler.settings import SitePool
from scheduler.store.sites import Handover
from scheduler.store.transaction import Transaction

SITES_LOOK_S = 0.5
"""How often it is looked whether a round is due; the rounds themselves have an interval of their own (`poll_s`)."""

GONE_REASON = "this farm has no pool {site} any more"

log = structlog.get_logger()


@dataclass
class _Round:
    """One kind of round of one site: when it is due, and the one that runs."""

    go: Callable[[], Awaitable[None]]
    every_s: float
    due_s: float = 0.0
    running: asyncio.Task[None] | None = field(default=None)

    def start_if_due(self, now_s: float, name: str) -> None:
        """Start a round unless one runs, or it is too early."""
        if self.running is None and now_s >= self.due_s:
            self.due_s = now_s + self.every_s
            self.running = asyncio.create_task(self._run(), name=name)

    async def _run(self) -> None:
        try:
            await self.go()
        except Exception:
            log.exception("site.crashed")
        finally:
            self.running = None


@dataclass(frozen=True)
class SiteHands:
    """The two that work for one site."""

    liaison: Liaison
    porter: Porter


class Sites:
    """The sites of one farm; none where the settings name none, and then it does nothing."""

    def __init__(self, farm: Farm, hands: Sequence[SiteHands]) -> None:
        self._farm, self.hands = farm, {each.liaison.site: each for each in hands}
        self._rounds = {
            f"{each.liaison.site} {name}": _Round(go, each.liaison.settings.poll_s)
            for each in hands
            for name, go in (("talk", each.liaison.talk), ("files", each.porter.haul))
        }
        self._seen: Plan | None = None

    async def poll(self) -> None:
        """Let jobs leave, and start the rounds that are due."""
        await self.look_back()
        await self.depart()
        now_s = self._farm.clock.monotonic()
        for name, each in self._rounds.items():
            each.start_if_due(now_s, f"site {name}")

    async def depart(self) -> None:
        """Hand over what the newest plan says; what has started meanwhile stays."""
        plan = self._farm.live.plan
        if plan is self._seen or not self.hands:
            return
        self._seen = plan
        if plan.book is not self._farm.book:
            return  # rules have changed since: the next plan says who may leave under these
        leaving = [each for each in plan.departures if each.site in self.hands]
        if not leaving:
            return
        left = await self._farm.change(lambda tx, ledger: self._let_leave(tx, ledger, leaving))
        for site in left:
            self._farm.sites.sites[site].open += 1
        self._wake()

    async def look_back(self) -> None:
        """Which jobs came back partly made, and may leave again."""
        if not self.hands:
            return
        found = await reading(self._farm, handing_over.unbegun_jobs)
        if found != self._farm.sites.unbegun:
            self._farm.sites.unbegun = found
            self._farm.live.replan.set()

    async def close(self) -> None:
        """Stop; what is under way is taken up at the next start."""
        running = [each.running for each in self._rounds.values() if each.running is not None]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        for each in self.hands.values():
            each.liaison.close()
            each.porter.close()

    def _let_leave(self, tx: Transaction, ledger: Ledger, leaving: Sequence[Departure]) -> list[str]:
        board, left = self._farm.sites.sites, list[str]()
        for each in leaving:
            note = board[each.site]
            full = note.open + left.count(each.site) >= note.settings.jobs_max
            if not full and handing_over.depart(tx, ledger, each.job, each.site):
                left.append(each.site)
        return left

    def _wake(self) -> None:
        """There is something new to do: do not wait for the next round."""
        for each in self._rounds.values():
            each.due_s = 0.0


def make_board(farm: Farm) -> None:
    """Note the sites of the settings, with nothing known of them yet."""
    for name, pool in farm.settings.pools.items():
        if isinstance(pool, SitePool):
            farm.sites.sites[name] = SiteNote(pool)


def restore_sites(farm: Farm) -> None:
    """What memory must know at start: how many jobs are where, and who refused which."""
    now_s = farm.now_s()
    with farm.store.read() as session:
        for site, count in _counts(session):
            if site in farm.sites.sites:
                farm.sites.sites[site].open = count
        for row in session.exec(select(Handover).where(col(Handover.retry_at) > now_s)).all():
            farm.sites.refuse(row.job_id, row.site, Refusal(row.retry_at or now_s, row.reason))
        stranded = [
            row.id or 0 for row in handing_over.open_handovers(session)
            if row.site not in farm.sites.sites and not row.let_go
        ]  # fmt: skip
    if stranded:
        _bring_back(farm, stranded)


def _counts(session: Session) -> list[tuple[str, int]]:
    query = select(Handover.site, func.count()).where(Handover.state != HandoverState.CLOSED)
    return [(site, int(count)) for site, count in session.exec(query.group_by(col(Handover.site))).all()]


def _bring_back(farm: Farm, numbers: Sequence[int]) -> None:
    """Jobs of a site that was taken out of the settings go on here."""
    ledger = farm.ledger()

    def change(tx: Transaction) -> None:
        for number in numbers:
            row = tx.session.get(Handover, number)
            assert row is not None
            handing_over.let_go(tx, ledger, number, GONE_REASON.format(site=row.site))
        ledger.settle(tx)

    farm.store.write(change)
