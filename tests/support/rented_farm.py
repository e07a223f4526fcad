"""A farm with a pool on a provider in memory, which outlives the farm's restarts."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any, ClassVar

from farms import FARM_ID, RENDERERS, LooseFarm
from memory_cloud import Box, MemoryBackend, MemoryCloud, Plot, peace
from sqlmodel import select

from scheduler.backends.base import Backend
from scheduler.clock import ManualClock
from scheduler.domain.scaling import Scaling
from scheduler.protocol.workers import Capabilities, WorkerHello
from scheduler.service.launching import Applied
from scheduler.service.registering import register_worker
from scheduler.settings import PoolSettings
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.store import Store
from scheduler.store.tables import Event

POOL = "burst"
HOUR_S = 3600.0


class RentedFarm(LooseFarm):
    """A farm whose pool `burst` is launched on a `MemoryCloud`; `plot` may strike between any two calls."""

    _template: ClassVar[bytes | None] = None

    def __init__(
        self,
        data: Path,
        *,
        database: str | None = None,
        pool: dict[str, Any] | None = None,
        budgets: dict[str, Any] | None = None,
        cloud: dict[str, Any] | None = None,
        sections: dict[str, Any] | None = None,
    ) -> None:
        self.cloud = MemoryCloud(ManualClock(), **(cloud or {}))
        self.plot: Plot = peace
        self._take_template(data, database)
        terms = {"backend": "aws", "region": "eu-west-1", "life_s": HOUR_S, "tags": ("cloud",)} | (pool or {})
        given = {"pools": {POOL: terms}, "budgets": budgets or {}} | (sections or {})
        super().__init__(data, database, sections=given)

    def _open(self) -> None:
        super()._open()
        self.launcher, self.treasurer = self.services.launcher, self.services.treasurer
        self.farm.url = "http://farm.studio:8000"

    def _take_template(self, data: Path, database: str | None) -> None:
        """Begin with a copy of a database that has been migrated already: that costs a tenth of migrating."""
        if database is not None or (data / "outfield.sqlite").exists():
            return
        if RentedFarm._template is None:
            with tempfile.TemporaryDirectory() as folder:
                Store(Path(folder)).close()
                RentedFarm._template = (Path(folder) / "outfield.sqlite").read_bytes()
        data.mkdir(parents=True, exist_ok=True)
        (data / "outfield.sqlite").write_bytes(RentedFarm._template)

    def make_clock(self) -> ManualClock:
        """The provider's time is the farm's."""
        assert isinstance(self.cloud.clock, ManualClock)
        return self.cloud.clock

    def make_backend(self, pool: str, settings: PoolSettings, farm_id: str) -> Backend:
        return MemoryBackend(self.cloud, pool, farm_id, plot=self._strike)

    def _strike(self, point: str) -> None:
        self.plot(point)

    def round(self) -> None:
        """One whole round of the pool's desk."""
        self.run(self.launcher.desks[POOL].round(look=True))

    def start(self) -> None:
        """What a scheduler does first after a restart."""

        async def start() -> None:
            await self.launcher.start()
            await self.launcher.idle()

        self.run(start())

    def apply(self, launch: int = 0, retire: tuple[str, ...] = (), *reasons: str) -> Applied:
        """Have a decision carried out, to the end of the round that it wakes."""

        async def apply() -> Applied:
            done = await self.launcher.apply(POOL, Scaling(POOL, launch, retire, reasons or ("the test wants it",)))
            await self.launcher.idle()
            return done

        return self.run(apply())

    def pass_time(self, seconds: float, *, step_s: float = 10.0) -> None:
        """Let time pass with a round each `step_s`, as the timetable has it."""
        while seconds > 0:
            self.clock.advance(min(step_s, seconds))
            seconds -= step_s
            self.run(self.launcher.rounds())

    def boxes(self) -> list[Box]:
        """What is alive at the provider."""
        return self.cloud.alive(farm=FARM_ID)

    def rows(self) -> dict[str, CloudInstance]:
        """The record's instances."""
        with self.store.read() as session:
            found = session.exec(select(CloudInstance)).all()
            session.expunge_all()
        return {row.id: row for row in found}

    def intents(self) -> list[LaunchIntent]:
        """The record's intents, oldest first."""
        with self.store.read() as session:
            found = list(session.exec(select(LaunchIntent).order_by(LaunchIntent.created_at)).all())
            session.expunge_all()
        return found

    def events(self, *kinds: str) -> list[Event]:
        """What happened, of these kinds."""
        with self.store.read() as session:
            found = list(session.exec(select(Event).order_by(Event.id)).all())
            session.expunge_all()
        return [event for event in found if not kinds or event.kind in kinds]

    def join_from(self, box: str, *, name: str = "") -> str:
        """The worker on an instance joins, with the join code that its start-up script holds; returns its id."""
        script = self.cloud.scripts[box]
        code = next(line for line in script.splitlines() if line.startswith("join=")).partition("=")[2].strip("'")
        hello = WorkerHello(
            join=code,
            name=name or f"on {box}",
            pool=POOL,
            slots=2,
            instance=box,
            intent=self.cloud.boxes[box].intent,
            capabilities=Capabilities(vcpus=8, memory_gib=16, renderers=RENDERERS),
        )

        async def join() -> str:
            welcome = await register_worker(self.farm, self.identity, hello)
            await self.tick.run()
            return welcome.worker

        return self.run(join())
