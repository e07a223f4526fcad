"""The farm follows its tracker: syncs in the tracker's own thread when it is time, applies what comes of it, and tells.

`poll` is what APScheduler calls; it returns at once unless a sync is due. The event loop never waits for the network.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog

from scheduler.errors import Conflict
from scheduler.priorities.lane import Lane
from scheduler.priorities.mapping import explain
from scheduler.priorities.syncing import Tracker
from scheduler.service.farm import Farm, iso
from scheduler.service.wishing import apply_wishes
from scheduler.store.tables import Job

POLL_S = 1.0
"""How often it is looked whether a sync is due."""

CLOSE_WAIT_S = 1.0
"""How long the end of the process waits for a sync that runs; its thread is a daemon, so it holds nobody up."""

log = structlog.get_logger()


class Following:
    """One farm and its tracker. `tracker` is None where the settings name none: then it does nothing."""

    def __init__(self, farm: Farm, tracker: Tracker | None) -> None:
        self._farm, self._tracker = farm, tracker
        self._lane = Lane("tracker") if tracker is not None else None
        self._running: asyncio.Task[None] | None = None

    @property
    def tracker(self) -> Tracker | None:
        """The tracker, where there is one."""
        return self._tracker

    async def poll(self) -> None:
        """Start a sync if one is due and none runs; does not wait for it."""
        if self._tracker is not None and self._idle() and self._tracker.due():
            self._running = asyncio.create_task(self.sync(), name="tracker")

    async def sync(self) -> None:
        """One sync to its end, with what follows from it for the jobs."""
        if self._tracker is None or self._lane is None:
            return
        outcome = await self._lane.run(self._tracker.sync)
        changed = await apply_wishes(self._farm, outcome.decisions)
        if changed:
            log.info("tracker.wishes", jobs=changed)

    async def settled(self) -> None:
        """Wait for the sync that runs, if one does, with all that follows from it."""
        if self._running is not None:
            await asyncio.wait({self._running})

    async def ask(self) -> None:
        """Ask for a sync soon, and start it if the site may be asked now.

        Raises:
            Conflict: the settings name no tracker.
        """
        if self._tracker is None:
            raise no_tracker()
        self._tracker.ask()
        await self.poll()

    def view(self) -> dict[str, Any]:
        """How things stand with the tracker, as the API shows it.

        Raises:
            Conflict: the settings name no tracker.
        """
        if self._tracker is None:
            raise no_tracker()
        state = self._tracker.state()
        return {
            "source": "shotgrid",
            "site": state.site,
            "last_success": iso(state.last_success_at),
            "last_sweep": iso(state.last_sweep_at),
            "age_s": None if state.age_s is None else round(state.age_s, 1),
            "stale": state.stale,
            "syncing": state.syncing,
            "error": state.error,
            "error_code": state.error_code,
            "failing_since": iso(state.failing_since_at),
            "failures": state.failures,
            "next_try": iso(state.next_try_at),
            "entities": state.entities,
            "jobs": state.jobs,
            "missing_fields": list(state.missing),
        }

    def why(self, row: Job) -> dict[str, Any]:
        """What `why` tells of a job's tracking: who speaks for it, how old that is, and what it says."""
        wish = None if self._tracker is None else self._tracker.glance(row.tracking)
        if self._tracker is None or wish is None:
            return {"source": "job", "age_s": None, **row.tracking}
        state = self._tracker.state()
        return {
            "source": "shotgrid",
            "age_s": None if state.age_s is None else round(state.age_s, 1),
            "stale": state.stale,
            "error": state.error,
            "priority": row.tracked_priority,
            "field": row.tracked_source,
            "deadline": iso(row.tracked_deadline),
            "hold": row.tracked_hold,
            "says": explain(wish),
            **row.tracking,
        }

    async def close(self) -> None:
        """Stop following; a sync that hangs is left behind."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        if self._lane is not None:
            await asyncio.to_thread(self._lane.close, CLOSE_WAIT_S)

    def _idle(self) -> bool:
        """Whether no sync runs. One that ended in an error is told of once; the next is tried all the same."""
        if self._running is None:
            return True
        if not self._running.done():
            return False
        if not self._running.cancelled() and (error := self._running.exception()) is not None:
            log.error("tracker.crashed", error=repr(error))
        self._running = None
        return True


def no_tracker() -> Conflict:
    """The error for asking a farm about its tracker that has none."""
    return Conflict(
        "This farm follows no tracker.",
        code="no_tracker",
        hint="Set shotgrid.url and a key in outfield.toml; see `outfield shotgrid check`.",
    )
