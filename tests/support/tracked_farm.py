"""A farm that follows a ShotGrid site: the real store, use cases and tracker, the real client, a site over HTTP.

Time is the test's own, for the farm and for the site. `outage` and the like are the fake site's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fake_shotgrid import FakeShotGrid
from farms import LooseFarm
from sqlmodel import select

from scheduler.priorities.chains import Cache
from scheduler.priorities.remembering import load_cache
from scheduler.priorities.syncing import Tracker
from scheduler.service.following import Following
from scheduler.settings import ShotGridSettings
from scheduler.store.tables import Event, Job

TIMEOUT_S = 0.3


def site_settings(fake: FakeShotGrid, **more: Any) -> ShotGridSettings:
    """Settings that lead to a fake site; patient to the tenth of a second."""
    known = {"url": fake.url, "script_name": fake.script_name, "api_key": fake.api_key, "timeout_s": TIMEOUT_S}
    return ShotGridSettings(**(known | more))


class TrackedFarm(LooseFarm):
    """See the module's docstring. `follow` is one sync with all that comes of it, and the tick after it."""

    def __init__(self, data: Path, fake: FakeShotGrid, *, database: str | None = None, **shotgrid: Any) -> None:
        self.fake = fake
        self.shotgrid = site_settings(fake, **shotgrid)
        super().__init__(data, database)
        fake.site.set_clock(self.clock.now)

    def _open(self) -> None:
        super()._open()
        self.tracker = Tracker(self.store, self.shotgrid, self.clock, chance=lambda: 1.0)
        self.farm.tracker = self.tracker
        self.following = Following(self.farm, self.tracker)

    def follow(self) -> None:
        """One sync, whatever the interval says; then a tick."""
        self.run(self.following.sync())
        self.run(self.tick.run())

    def wait(self, seconds: float) -> None:
        """Let time pass second by second; syncs come when they are due, and the farm ticks."""
        for _second in range(round(seconds)):
            self.clock.advance(1.0)
            if self.tracker.due():
                self.follow()

    def job(self, number: int) -> Job:
        """A job as it stands in the store."""
        with self.store.read() as session:
            row = session.get(Job, number)
            assert row is not None
            session.expunge(row)
        return row

    def wishes(self, number: int) -> list[dict[str, Any]]:
        """The wishes that were told of a job, oldest first."""
        with self.store.read() as session:
            query = select(Event.data).where(Event.job_id == number, Event.kind == "job.wish").order_by(Event.id)
            return list(session.exec(query).all())

    def remembered(self) -> Cache:
        """The entities in the store."""
        return load_cache(self.store)

    def close(self) -> None:
        self.fake.released.set()
        self.run(self.following.close())
        super().close()
