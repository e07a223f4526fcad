"""Keeping up with ShotGrid: what changed since the last time, everything at an interval, and patience when it is away.

`Tracker.sync` blocks on the network, so it belongs into a thread of its own (`scheduler.priorities.lane`), always the
same one. It never raises for what the site does, holds the store's writer for single portions of rows alone, and leaves
what was last known untouched when it fails. Waits are measured with the monotonic clock, ages with wall time; the
site's own clock is used for nothing.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import structlog

from scheduler.clock import Clock
from scheduler.domain.tracking import Wish
from scheduler.errors import Unavailable
from scheduler.priorities.chains import Cache, Key, Reference, Want, resolve
from scheduler.priorities.client import Site
from scheduler.priorities.deciding import Decision, TrackedJob, chains_of, decide, unfinished_jobs
from scheduler.priorities.mapping import PLAYLIST, VERSION, FieldMapping, wish_of
from scheduler.priorities.reading import EVENT_WINDOW, Reader
from scheduler.priorities.remembering import KEEP_S, Mark, forget_site, forget_unused, load_cache, load_mark, save
from scheduler.priorities.troubles import Changed, Denied, Trouble
from scheduler.settings import ShotGridSettings
from scheduler.store.store import Store

BACKOFF_FIRST_S = 5.0
"""Pause after the first failure; it doubles with each further one."""

ASK_PAUSE_S = 5.0
"""Asking for a sync now is heard at most this often."""

REVIEW_PAST_S = 86_400.0
"""Review sessions are read from this long before now: their days are not those of our clock."""

log = structlog.get_logger()


@dataclass(frozen=True)
class TrackerState:
    """How things stand with the tracker. `*_at` are seconds since the epoch; `age_s` is since the last success.

    `error` is in plain words with its `code`; None while all is well. `stale`: older than shotgrid.stale_after_s, or
    never heard. `missing` are mapped fields that the site does not have.
    """

    site: str
    last_success_at: float | None = None
    last_sweep_at: float | None = None
    age_s: float | None = None
    stale: bool = True
    syncing: bool = False
    error: str | None = None
    error_code: str | None = None
    failing_since_at: float | None = None
    failures: int = 0
    next_try_at: float | None = None
    entities: int = 0
    jobs: int = 0
    missing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What one sync came to: the decisions it leads to, also when it failed."""

    ok: bool
    decisions: tuple[Decision, ...] = ()


class Tracker:
    """One farm's view of one site; see the module's docstring. `state`, `due`, `ask` and `glance` may be called
    from any thread."""

    def __init__(
        self,
        store: Store,
        settings: ShotGridSettings,
        clock: Clock,
        *,
        site: Site | None = None,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.mapping = FieldMapping.of(settings)
        self._store, self._settings, self._clock, self._chance = store, settings, clock, chance
        self._site = site or Site(settings)
        self._reader = Reader(self._site, self.mapping)
        self._mark, self._cache = _remembered(store, self._site.url)
        self._absent: set[Want] = set()
        self._events: frozenset[int] = frozenset()
        self._swept_s: float | None = None
        self._lock = threading.Lock()
        self._state = TrackerState(
            self._site.url, self._mark.synced_at, self._mark.swept_at, entities=len(self._cache.entities)
        )
        self._next_s = clock.monotonic()
        self._asked = False
        self._heard_s = -ASK_PAUSE_S
        self._patient_until_s = 0.0

    def due(self) -> bool:
        """Whether it is time to sync: the interval or pause is over, or somebody asked and the site may be asked."""
        now_s = self._clock.monotonic()
        with self._lock:
            if self._state.syncing:
                return False
            asked = self._asked and now_s >= max(self._heard_s + ASK_PAUSE_S, self._patient_until_s)
            return asked or now_s >= self._next_s

    def ask(self) -> None:
        """Ask for a sync soon. A site that asked for patience is left alone until then."""
        with self._lock:
            self._asked = True

    def state(self) -> TrackerState:
        """How things stand now."""
        now_s = self._clock.now().timestamp()
        with self._lock:
            known, wait_s = self._state, self._next_s - self._clock.monotonic()
        age_s = None if known.last_success_at is None else max(0.0, now_s - known.last_success_at)
        stale = age_s is None or age_s > self._settings.stale_after_s
        return replace(known, age_s=age_s, stale=stale, next_try_at=now_s + max(0.0, wait_s))

    def sync(self) -> Outcome:
        """Bring everything up to date and decide; blocks for as long as the site takes."""
        with self._lock:
            self._asked, self._heard_s = False, self._clock.monotonic()
            self._next_s = self._heard_s + self._settings.sync_interval_s
            self._state = replace(self._state, syncing=True)
        try:
            jobs = unfinished_jobs(self._store)
            try:
                trouble = self._attempt(jobs)
            except Unavailable as error:  # the store's own trouble, such as a full disk
                trouble = Trouble(error.message, code=error.code)
            self._note(trouble, len(jobs))
            decisions = decide(jobs, self._cache, self.mapping, self._clock.now().timestamp(), self._absent)
            return Outcome(trouble is None, tuple(decisions))
        finally:
            with self._lock:
                self._state = replace(self._state, syncing=False)

    def glance(self, tracking: Mapping[str, Any]) -> Wish | None:
        """What is wished for a job that refers to this, from memory alone; None where it refers to nothing.

        If something of it is not known yet, a sync is asked for.
        """
        reference = Reference.of(tracking)
        if reference is None:
            return None
        chain = resolve(reference, self._cache)
        if not self._absent.issuperset(chain.wants):
            self.ask()
        return wish_of(self.mapping, chain, self._clock.now().timestamp())

    def close(self) -> None:
        """Hang up."""
        self._site.close()

    # ---- Inside, in the tracker's own thread ------------------------------------------------------------------------

    def _attempt(self, jobs: list[TrackedJob]) -> Trouble | None:
        """Refresh what is known. If the schema is not what it was, learn it and read everything anew, once."""
        for last in (False, True):
            try:
                self._refresh(jobs)
            except Changed as error:
                self._swept_s = None
                if last:
                    return error
            except Trouble as error:
                return error
            else:
                break
        return None

    def _refresh(self, jobs: list[TrackedJob]) -> None:
        """Read what has changed, or everything; remember it. Nothing is kept of a reading that failed half way."""
        task = self._begin(jobs)
        cache, before = task.cache, frozenset(task.cache.entities)
        references = {job.reference for job in jobs if job.reference is not None}
        read = self._reader.complete(cache, references, task.refresh, task.absent)
        chains = list(chains_of(jobs, cache).values())
        if task.sweep or VERSION in task.kinds or not before.issuperset(cache.entities):
            read |= self._reader.versions(cache, chains)
        if self.mapping.review and (task.sweep or task.kinds & {PLAYLIST, VERSION}):
            since = datetime.fromtimestamp(self._clock.now().timestamp() - REVIEW_PAST_S, UTC)
            read |= self._reader.reviews(cache, chains, since.strftime("%Y-%m-%dT%H:%M:%SZ"))
        dropped = before.difference(cache.entities)
        if task.sweep:
            dropped |= self._unused(cache, frozenset(key for chain in chains for key in chain.seen) | read)
        self._remember(task, read, dropped)

    def _begin(self, jobs: list[TrackedJob]) -> _Reading:
        """What is to be read this time: what the event log names, or, when it is time, all that jobs refer to."""
        newest, now_s, cache = self._mark.event, self._clock.monotonic(), self._cache.copy()
        early = self._swept_s is not None and now_s - self._swept_s < self._settings.sweep_interval_s
        if early and newest is not None:
            changes = self._reader.changes(max(0, newest - EVENT_WINDOW), self._events)
            if changes.whole:
                absent = {want for want in self._absent if want.kind not in changes.kinds}
                refresh = changes.keys.intersection(cache.entities)
                newest = max(newest, changes.newest)
                return _Reading(cache, absent, refresh, newest, changes.numbers, changes.kinds)
        self._reader.learn_schema()
        newest = self._reader.newest_event()
        # Both before the entities: what changes meanwhile is read again.
        window = self._reader.changes(max(0, newest - EVENT_WINDOW), frozenset())
        newest = max(newest, window.newest)
        seen = frozenset(key for chain in chains_of(jobs, cache).values() for key in chain.seen)
        return _Reading(cache, set(), seen, newest, window.numbers, sweep=True)

    def _unused(self, cache: Cache, used: frozenset[Key]) -> frozenset[Key]:
        """Entities that nobody has referred to for long; taken out of the cache."""
        old = frozenset(forget_unused(self._store, used, self._clock.now().timestamp() - KEEP_S))
        for key in old:
            cache.drop(key)
        return old

    def _remember(self, task: _Reading, read: set[Key], dropped: frozenset[Key]) -> None:
        now_s = self._clock.now().timestamp()
        swept_at = now_s if task.sweep else self._mark.swept_at
        mark = Mark(self._site.url, task.newest, now_s, swept_at)
        save(self._store, task.cache, sorted(read), sorted(dropped), mark)
        self._mark, self._cache, self._absent, self._events = mark, task.cache, task.absent, task.events
        if task.sweep:
            self._swept_s = self._clock.monotonic()

    def _note(self, trouble: Trouble | None, jobs: int) -> None:
        """Tell how it went, and when it is tried next."""
        now_s, wall_s = self._clock.monotonic(), self._clock.now().timestamp()
        with self._lock:
            was = self._state
            entities = len(self._cache.entities)
            if trouble is None:
                missing = tuple(str(ref) for ref in self._reader.missing())
                self._next_s = now_s + self._settings.sync_interval_s
                self._state = TrackerState(
                    was.site, wall_s, self._mark.swept_at, syncing=True, entities=entities, jobs=jobs, missing=missing
                )
            else:
                pause_s = self._pause_s(trouble, was.failures)
                self._next_s = now_s + pause_s
                self._patient_until_s = self._next_s if trouble.retry_s is not None else now_s
                self._state = replace(
                    was,
                    error=trouble.message,
                    error_code=trouble.code,
                    failing_since_at=was.failing_since_at or wall_s,
                    failures=was.failures + 1,
                    jobs=jobs,
                )
        _tell(was, trouble)

    def _pause_s(self, trouble: Trouble, failures: int) -> float:
        """Twice as long after each failure, by chance up to half shorter; never less than the site asks for."""
        longest_s = self._settings.backoff_max_s
        first_s = min(BACKOFF_FIRST_S, self._settings.sync_interval_s)
        pause_s = longest_s if isinstance(trouble, Denied) else min(longest_s, first_s * 2.0 ** min(failures, 30))
        return max(pause_s * (0.5 + 0.5 * self._chance()), trouble.retry_s or 0.0)


def _remembered(store: Store, site: str) -> tuple[Mark, Cache]:
    """What is known from before; nothing, if it was another site."""
    mark = load_mark(store)
    if mark.site and mark.site != site:
        log.warning("tracker.other_site", former=mark.site, now=site)
        forget_site(store)
        mark = Mark()
    return mark, load_cache(store)


@dataclass
class _Reading:
    """One pass: what is to be read again, and what will be known after it."""

    cache: Cache
    absent: set[Want]
    refresh: frozenset[Key]
    newest: int
    events: frozenset[int] = frozenset()
    kinds: frozenset[str] = frozenset()
    sweep: bool = False


def _tell(was: TrackerState, trouble: Trouble | None) -> None:
    """One line in the log when it begins to fail, fails otherwise, or is well again."""
    if trouble is not None and trouble.message != was.error:
        log.warning("tracker.failed", error=trouble.message, code=trouble.code)
    elif trouble is None and was.error is not None:
        log.info("tracker.recovered", failures=was.failures)
