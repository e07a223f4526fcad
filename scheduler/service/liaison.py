"""One site's liaison: keeps every job that was handed over to it in step with what is wished here.

`talk` is small calls, one round after the other: submit, look, pause, resume, prioritise, cancel. Files are `Porter`'s,
in a lane of its own, so that a large frame never holds up a cancellation. A row is written before every call that
changes something there; what is to be done is `domain.handover`'s to say, from the rows and from what was just seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import structlog

from scheduler.backends.site.troubles import SiteChanged, SiteRefused, SiteSilent
from scheduler.domain.handover import FarJob, HandoverState, Outcome, Step, next_step
from scheduler.domain.outbox import backoff_s
from scheduler.errors import OutfieldError
from scheduler.priorities.lane import Lane
from scheduler.service import handing_over
from scheduler.service.cases import Case, load_case, load_cases
from scheduler.service.farm import Farm
from scheduler.service.recalling import Recaller
from scheduler.service.site_board import Refusal, Silence, SiteNote
from scheduler.service.viewing import reading
from scheduler.settings import SitePool
from scheduler.store.sites import Handover

CLOSELY_S = 15.0
"""How often the other farm is asked why a job waits: it costs that farm more than how the job stands."""

STEPS_MAX = 4
"""Steps of one handover in one round: submit, go on, new priority."""

LET_GO_SILENT = "{site} could not be reached for {silent_s:.0f} s, and the job has another place"
LET_GO_FORBIDDEN = "it may not be at {site} any more: {reason}"
FAILED_THERE = "failed at {site}: {reason}"
ENDED_THERE = "canceled at {site}: {reason}"
LOST_THERE = "{site} does not know its job {job} any more; retry hands over what is missing"

log = structlog.get_logger()


class Talker(Protocol):
    """The other farm, as far as jobs go. Calls wait for the network, and raise `SiteSilent` where that fails."""

    def farm_id(self) -> str:
        """Which farm it is."""
        ...

    def submit(self, key: str, payload: Mapping[str, Any]) -> FarJob:
        """Submit a job once, however often it is called with this key."""
        ...

    def look(self, job: str, *, closely: bool) -> FarJob | None:
        """How a job stands; None: it knows none of that number."""
        ...

    def tell(self, job: str, order: str, body: Mapping[str, Any] | None = None) -> None:
        """`cancel`, `pause`, `resume` or `priority`."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...


class Liaison:
    """Talks with one site. One round at a time."""

    def __init__(self, farm: Farm, site: str, talker: Talker, recaller: Recaller) -> None:
        self._farm, self.site, self._talker, self._recaller = farm, site, talker, recaller
        self._lane = Lane(f"site {site}")
        self._asked_why: dict[int, float] = {}
        self._checked_book: object = None
        self._far_farm = ""
        self.settled: set[int] = set()
        """Handovers that have ended there, and of which nothing is left to be fetched or checked."""

    @property
    def note(self) -> SiteNote:
        """What memory knows of the site."""
        return self._farm.sites.sites[self.site]

    @property
    def settings(self) -> SitePool:
        """The pool's settings."""
        return self.note.settings

    async def talk(self) -> None:
        """One round: every open handover as far as it goes now."""
        cases = await self.cases()
        self.note.open = len(cases)
        self.settled &= {case.number for case in cases}
        for job in self.note.faults.keys() - {case.row.job_id for case in cases}:
            del self.note.faults[job]
        await self._follow_rules(cases)
        await self._drop_unsent()
        if self.quiet():
            return
        if not cases and self.note.silence is None:
            return
        try:
            if not self._far_farm:
                self._far_farm = await self._lane.run(self._talker.farm_id)
            for case in cases:
                await self._guarded(case)
        except SiteSilent as error:
            self._far_farm = ""
            self.hush(error)
            await self._give_up(cases)
        else:
            self.note.silence, self.note.shut = None, False

    async def _guarded(self, case: Case) -> None:
        """One job's trouble is its own; a silent site is everybody's."""
        job, faults = case.row.job_id, self.note.faults
        try:
            await self._advance(case.number)
        except SiteSilent:
            raise
        except OutfieldError as error:
            if faults.get(job) != error.message:
                log.warning("site.fault", site=self.site, job=job, reason=error.message)
            faults[job] = error.message
        else:
            faults.pop(job, None)

    async def cases(self) -> list[Case]:
        """The open handovers to this site."""
        most = self.settings.priority_max
        return await reading(self._farm, lambda session: load_cases(session, self.site, most))

    def hush(self, error: SiteSilent) -> None:
        """The site does not answer: it is left alone for a while, longer each time."""
        now_s, before = self._farm.now_s(), self.note.silence
        tries = before.tries + 1 if before else 1
        pause_s = max(error.retry_s, backoff_s(tries, self.settings.backoff_max_s))
        since_s = before.since_s if before else now_s
        self.note.silence = Silence(since_s, error.message, tries, now_s + pause_s)
        if before is None:
            log.warning("site.silent", site=self.site, reason=error.message)

    def quiet(self) -> bool:
        """Whether the site is left alone at present, because it did not answer."""
        silence = self.note.silence
        return silence is not None and self._farm.now_s() < silence.again_s

    def close(self) -> None:
        """Hang up; a call that hangs is left behind."""
        self._lane.close()

    # ---- One handover ----------------------------------------------------------------------------------------------

    async def _advance(self, number: int) -> None:
        most = self.settings.priority_max
        for _step in range(STEPS_MAX):
            case = await reading(self._farm, lambda session: load_case(session, number, most))
            if case is None or not await self._step(case):
                return

    async def _step(self, case: Case) -> bool:
        """Do what is next; whether there may be more to do at once."""
        far = None
        if case.row.state == HandoverState.AWAY:
            if case.row.far_farm != self._far_farm:
                raise SiteChanged(f"another farm answers at {self.settings.url}: {self._far_farm}")
            far = await self._look(case)
        decided = next_step(case.snapshot(far, settled=case.number in self.settled))
        if decided.step in (Step.WAIT, Step.SHIP):
            return False
        log.info("site.step", site=self.site, job=case.row.job_id, step=decided.step.value)
        if decided.step is Step.SUBMIT:
            return await self._submit(case)
        if decided.step in (Step.CANCEL, Step.PAUSE, Step.RESUME, Step.PRIORITISE):
            await self._tell(case, decided.step)
            return True
        await self._end(case, decided.step, decided.outcome, far)
        return False

    async def _look(self, case: Case) -> FarJob | None:
        row, now_s = case.row, self._farm.clock.monotonic()
        closely = now_s - self._asked_why.get(case.number, -CLOSELY_S) >= CLOSELY_S
        far = await self._lane.run(lambda: self._talker.look(row.far_job, closely=closely))
        if closely:
            self._asked_why[case.number] = now_s
        if far is not None:
            if far.status.value != row.far_status:
                self._asked_why.pop(case.number, None)  # it waits for something else now
                self.settled.discard(case.number)
            seen = far
            await self._farm.change(lambda tx, ledger: handing_over.note_seen(tx, ledger, case.number, seen))
        return far

    async def _submit(self, case: Case) -> bool:
        number, farm = case.number, self._farm
        row = await farm.change(lambda tx, _l: handing_over.note_sending(tx, number, self._far_farm, case.priority))
        if row is None:
            return False
        if row.far_farm != self._far_farm:
            raise SiteChanged(f"another farm answers at {self.settings.url}: {self._far_farm}")
        key, payload = row.key, row.payload
        try:
            far = await self._lane.run(lambda: self._talker.submit(key, payload))
        except SiteRefused as error:
            await self.refuse(case.row, error.message)
            return False
        await farm.change(lambda tx, ledger: handing_over.note_admitted(tx, ledger, number, far))
        return True

    async def _tell(self, case: Case, step: Step) -> None:
        number, far_job, farm = case.number, case.row.far_job, self._farm
        if step is Step.CANCEL:
            await farm.change(lambda tx, _l: handing_over.note_told(tx, number, cancel=True))
            await self._lane.run(lambda: self._talker.tell(far_job, "cancel"))
        elif step is Step.PRIORITISE:
            wanted = case.priority
            await self._lane.run(lambda: self._talker.tell(far_job, "priority", {"priority": wanted}))
            await farm.change(lambda tx, _l: handing_over.note_told(tx, number, priority=wanted))
        else:
            await self._lane.run(lambda: self._talker.tell(far_job, step.value))
            paused = step is Step.PAUSE
            await farm.change(lambda tx, _l: handing_over.note_told(tx, number, paused=paused))

    async def _end(self, case: Case, step: Step, outcome: Outcome | None, far: FarJob | None) -> None:
        number, row, farm = case.number, case.row, self._farm
        reason = (far.reason if far else "") or row.far_reason or "no reason was given"
        if step is Step.FAIL:
            words = FAILED_THERE.format(site=self.site, reason=reason)
            await farm.change(lambda tx, ledger: handing_over.fail_here(tx, ledger, number, Outcome.FAILED, words))
        elif step is Step.LOSE:
            words = LOST_THERE.format(site=self.site, job=row.far_job)
            await farm.change(lambda tx, ledger: handing_over.fail_here(tx, ledger, number, Outcome.LOST, words))
        elif step is Step.END:
            words = ENDED_THERE.format(site=self.site, reason=reason)
            await farm.change(lambda tx, ledger: handing_over.end_here(tx, ledger, number, words))
        else:
            assert outcome is not None
            await farm.change(lambda tx, ledger: handing_over.close(tx, ledger, number, outcome))
        self._one_less()

    async def refuse(self, row: Handover, reason: str) -> None:
        """The site did not take the job: it goes on here where it may, and is offered again later where it may not."""
        until_s, number = self._farm.now_s() + self.settings.refused_retry_s, row.id or 0
        self._farm.sites.refuse(row.job_id, self.site, Refusal(until_s, reason))
        await self._farm.change(
            lambda tx, ledger: handing_over.close(tx, ledger, number, Outcome.REFUSED, reason, retry_at=until_s)
        )
        self._one_less()

    def _one_less(self) -> None:
        """A handover is over: another job may take its place before the next round counts them anew."""
        self.note.open = max(0, self.note.open - 1)

    # ---- Taking back -----------------------------------------------------------------------------------------------

    async def _follow_rules(self, cases: list[Case]) -> None:
        """Under new rules, bring back what may not be there any more; the site need not be reached for that."""
        if self._checked_book is self._farm.book:
            return
        book = self._farm.book
        for case in cases:
            standing = await self._recaller.standing(case.row.job_id, self.site)
            if standing.forbidden is not None and case.snapshot().wanted:
                await self._let_go(case, LET_GO_FORBIDDEN.format(site=self.site, reason=standing.forbidden))
        self._checked_book = book

    async def _drop_unsent(self) -> None:
        """What was taken back, or has ended here, before the other farm heard of it is over without a call."""
        for case in await self.cases():
            decided = next_step(case.snapshot())
            if case.row.state == HandoverState.PENDING and decided.step is Step.CLOSE:
                await self._end(case, decided.step, decided.outcome, None)

    async def _give_up(self, cases: list[Case]) -> None:
        """A job that never arrived, as far as is known, is not kept waiting for ever where it has another place."""
        patience_s, silence = self.settings.give_up_s, self.note.silence
        if patience_s is None or silence is None or self._farm.now_s() - silence.since_s < patience_s:
            return
        self.note.shut = True
        for case in cases:
            early = case.row.state in (HandoverState.PENDING, HandoverState.SENDING)
            if not early or not case.snapshot().wanted:
                continue
            if (await self._recaller.standing(case.row.job_id, self.site)).elsewhere:
                silent_s = self._farm.now_s() - silence.since_s
                await self._let_go(case, LET_GO_SILENT.format(site=self.site, silent_s=silent_s))
        await self._drop_unsent()

    async def _let_go(self, case: Case, reason: str) -> None:
        await self._farm.change(lambda tx, ledger: handing_over.let_go(tx, ledger, case.number, reason))
