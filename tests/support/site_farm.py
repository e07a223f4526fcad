"""A home farm with sites whose other ends are in memory: `rounds` lets everything happen that is due."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, ClassVar

from fake_far import FakeFar
from farms import LooseFarm
from sqlmodel import col, select

from scheduler.service.liaison import Liaison
from scheduler.service.porter import Porter
from scheduler.service.recalling import Recaller
from scheduler.service.rulekeeping import NewRules, replace_rules
from scheduler.service.sites import SiteHands, Sites
from scheduler.store.sites import Handover
from scheduler.store.store import Store
from scheduler.store.tables import Event, Frame, Job

URL = "https://branch.example"
DATABASE = "outfield.sqlite"


class SiteFarm(LooseFarm):
    """A `LooseFarm` whose pools are sites. `sites` are their settings by name; `default` is on unless said."""

    _template: ClassVar[bytes] = b""

    def __init__(
        self,
        data: Path,
        sites: dict[str, dict[str, Any]] | None = None,
        *,
        database: str | None = None,
        **sections: Any,
    ) -> None:
        wanted = {"branch": {"default": True}} if sites is None else sites
        pools = {name: {"backend": "site", "url": URL, "token": "t"} | more for name, more in wanted.items()}
        self.far = {name: FakeFar(f"farm of {name}") for name in wanted}
        if database is None:
            data.mkdir(parents=True, exist_ok=True)
            (data / DATABASE).write_bytes(self._migrated())
        super().__init__(data, database, sections={"pools": pools} | sections)

    @classmethod
    def _migrated(cls) -> bytes:
        """An empty database of the present schema: a copy costs a tenth of migrating."""
        if not cls._template:
            with tempfile.TemporaryDirectory() as folder:
                Store(Path(folder)).close()
                cls._template = (Path(folder) / DATABASE).read_bytes()
        return cls._template

    def _open(self) -> None:
        super()._open()
        self._replace_hands()

    def _replace_hands(self) -> None:
        self.run(self.services.sites.close())
        hands = []
        for name, far in self.far.items():
            liaison = Liaison(self.farm, name, far, Recaller(self.farm, self.services.surveyor))
            hands.append(SiteHands(liaison, Porter(self.farm, liaison, far, self.publisher.on_delivered)))
        self.sites = Sites(self.farm, hands)

    def close(self) -> None:
        """Put everything away."""
        self.run(self.sites.close())
        super().close()

    def restart(self) -> None:
        """The process dies and another one starts on the same folder."""
        self.run(self.sites.close())
        super().restart()

    def rounds(self, count: int = 3, *, seconds: float = 0.0) -> None:
        """Plan, let jobs leave, and make every site's rounds; `seconds` pass between them."""

        async def make() -> None:
            for _round in range(count):
                await self.sites.look_back()
                await self.tick.run()
                await self.sites.depart()
                for each in self.sites.hands.values():
                    await each.liaison.talk()
                    await each.porter.haul()
                await self.publisher.settled()
                self.clock.advance(seconds)

        self.run(make())

    def put_rules(self, *rules: dict[str, Any]) -> None:
        """These rules are in force from now on."""
        self.run(replace_rules(self.farm, NewRules(json.dumps({"rules": list(rules)}), "json", "td")))

    def row(self, job: int) -> Job:
        """The job's row."""
        with self.store.read() as session:
            return session.get_one(Job, job)

    def handovers(self, job: int) -> list[Handover]:
        """The job's handovers, oldest first."""
        with self.store.read() as session:
            return list(session.exec(select(Handover).where(Handover.job_id == job).order_by(col(Handover.id))).all())

    def frames(self, job: int) -> dict[int, bytes]:
        """What was published, from its paths."""
        with self.store.read() as session:
            rows = session.exec(select(Frame).where(Frame.job_id == job)).all()
        return {row.frame: Path(row.path).read_bytes() for row in rows}

    def events(self, job: int, kind: str) -> list[dict[str, Any]]:
        """What happened of one kind."""
        with self.store.read() as session:
            rows = session.exec(select(Event).where(Event.job_id == job, Event.kind == kind).order_by(col(Event.id)))
            return [row.data for row in rows.all()]

    def why(self, job: int) -> dict[str, Any]:
        """What `why` says."""
        return self.run(self.services.explainer.why_job(job))
