"""A farm, a fake ShotGrid site and a courier between them; crashes on request after any call over the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import images
from fake_shotgrid import FakeShotGrid, fake_shotgrid
from farms import LooseFarm

from scheduler.domain.states import JobStatus
from scheduler.imaging.facts import Verdict
from scheduler.priorities.client import Site
from scheduler.priorities.delivering import Courier, Round, make_courier
from scheduler.priorities.outbox import Outbox, list_messages
from scheduler.priorities.site_thread import SiteThread
from scheduler.settings import ShotGridSettings
from scheduler.store.production import Outgoing

FARM_ID = "f4rm"
GOOD = Verdict(True, None, "ok", "")


class Killed(BaseException):
    """The process dies here."""


class PaintedPictures:
    """Makes small files where a preview or a movie is asked for; `verdict` is what it answers."""

    def __init__(self) -> None:
        self.verdict = GOOD
        self.asked: list[tuple[Any, ...]] = []

    async def preview(self, path: Path, out: Path, width_px: int, kind: str = "webp") -> Verdict:
        """A picture that says what it is of."""
        self.asked.append(("preview", path.name, width_px, kind))
        if self.verdict.ok:
            out.write_bytes(b"thumbnail of " + path.name.encode())
        return self.verdict

    async def movie(self, frames: Sequence[Path], out: Path, *, fps: float, width_px: int) -> Verdict:
        """A movie that says how long it is."""
        self.asked.append(("movie", len(frames), fps, width_px))
        if self.verdict.ok:
            out.write_bytes(b"movie of %d" % len(frames))
        return self.verdict


class MortalSite(Site):
    """Dies before or after the n-th call over the network, counted from 1."""

    def __init__(self, settings: ShotGridSettings, *, before: int = 0, after: int = 0) -> None:
        super().__init__(settings)
        self.calls, self._before, self._after = 0, before, after

    def _call(self, function: Callable[[Any], Any], **options: Any) -> Any:
        self.calls += 1
        if self.calls == self._before:
            raise Killed
        done = super()._call(function, **options)
        if self.calls == self._after:
            raise Killed
        return done


class Desk:
    """See the module's docstring."""

    def __init__(self, fake: FakeShotGrid, data: Path, database: str | None = None, **write: Any) -> None:
        self.fake, self.farm = fake, LooseFarm(data, database)
        self.settings = ShotGridSettings(
            url=fake.url, api_key=fake.api_key, timeout_s=2.0, write={"movie_fps": 25.0} | write
        )  # fmt: skip
        self.outbox = Outbox(FARM_ID, self.settings.write)
        self.pictures: Any = PaintedPictures()
        self.movies: Any = self.pictures
        self.prices = {"onprem": 3.6}
        self.alpha = fake.add("Project", name="Alpha")
        self.shot = fake.add("Shot", code="sh010", project=self.alpha)
        self.task = fake.add("Task", content="light", project=self.alpha, entity=self.shot, sg_status_list="rdy")
        self.tracking = {"project": "Alpha", "shot": "sh010", "task_id": self.task["id"]}
        self.courier = self.new_courier()

    def new_courier(self, **mortal: int) -> Courier:
        """Another courier, as after a restart; `before` or `after` say when it dies."""
        made = make_courier(
            self.settings, store=self.farm.store, clock=self.farm.clock, previews=self.pictures, movies=self.movies,
            prices=self.prices, farm_name="outfield",
        )  # fmt: skip
        self.site = MortalSite(self.settings, **mortal)
        made._site.close()
        thread = SiteThread(self.site, "mortal")
        made._site = made._versions.site = made._statuses.site = thread
        self.courier = made
        return made

    def deliver(self) -> Round:
        """One round."""
        return self.farm.run(self.courier.deliver())

    def restart(self, **mortal: int) -> None:
        """The process dies, and another one starts."""
        self.courier.close()
        self.farm.restart()
        self.new_courier(**mortal)

    def submit(self, **payload: Any) -> int:
        """A job that the tracker knows of."""
        return self.farm.submit(**({"renderer": "kernel", "tracking": self.tracking, "frames": "1-3"} | payload))

    def finish(self, job: int, pixels: bytes | None = None) -> None:
        """Every frame is rendered, and the job's end is queued in one transaction."""
        worker = getattr(self, "worker", None) or self.farm.join()
        self.worker = worker
        self.farm.run(self.farm.tick.run())
        while leases := self.farm.sync(worker, want=4).leases:
            for lease in leases:
                self.farm.deliver(worker, lease, pixels or images.png())
            self.farm.run(self.farm.tick.run())
        self.moved(job, JobStatus.SUCCEEDED)

    def moved(self, job: int, after: JobStatus) -> None:
        """A job has come into a state."""
        now_s = self.farm.farm.now_s()
        if self.farm.farm.__dict__.get("outbox") is None:
            self.farm.store.write(lambda tx: self.outbox.job_moved(tx, now_s, job, after))

    def finished(self, **payload: Any) -> int:
        """A job that has succeeded."""
        job = self.submit(**payload)
        self.finish(job)
        return job

    def messages(self) -> list[Outgoing]:
        """The outbox, oldest first."""
        with self.farm.store.read() as session:
            return list_messages(session, status=frozenset(), job=None, before=None, limit=100)[::-1]

    def statuses(self) -> list[tuple[str, str]]:
        """Kind and status of every message, oldest first."""
        return [(row.kind, row.status) for row in self.messages()]

    def close(self) -> None:
        """Put everything away."""
        self.courier.close()
        self.farm.close()


@contextmanager
def outbox_desk(data: Path, database: str | None = None, **write: Any) -> Iterator[Desk]:
    """A desk with a site of its own; `write` are settings of `[shotgrid.write]`."""
    with fake_shotgrid() as fake:
        desk = Desk(fake, data, database, **write)
        try:
            yield desk
        finally:
            desk.close()
