"""A whole farm without its HTTP face: the real store, use cases and tick, a clock that tests move, no decoder.

`LooseFarm` drives everything synchronously, so that a state machine can use it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from scheduler.backends.base import Backend
from scheduler.backends.registry import make
from scheduler.bootstrap.assembling import assemble
from scheduler.clock import ManualClock
from scheduler.imaging.facts import Expectation, ImageFacts, Verdict
from scheduler.protocol.work import Lease, OutputFile, Report, SyncReply, SyncRequest
from scheduler.protocol.workers import Capabilities, WorkerHello
from scheduler.service.identity import Role
from scheduler.service.registering import register_worker
from scheduler.service.restoring import restore
from scheduler.service.submitting import submit_job
from scheduler.service.validating import validate_payload
from scheduler.settings import FarmSettings, LimitSettings, PoolSettings, ServerSettings, Settings
from scheduler.store.store import Store
from scheduler.tick import Tick

if TYPE_CHECKING:
    from store_bench import Bench

Result = TypeVar("Result")

FARM_ID = "test-farm"
RENDERERS = {"null": ["1"], "kernel": ["0.1.0"], "blender": ["3.4.1"]}


class TrustingImaging:
    """Believes that every file is what it should be; the real pool has its own tests."""

    async def check(self, path: Path, expect: Expectation) -> Verdict:
        """An image of the asked size; a file that says "broken" is not."""
        if not path.exists():
            return Verdict(False, None, "file_missing", "the file is missing")
        if path.read_bytes().startswith(b"broken"):
            return Verdict(False, None, "truncated", "the file is truncated")
        facts = ImageFacts(
            width=expect.width or 1,
            height=expect.height or 1,
            channels=("R", "G", "B"),
            depth="8",
            format=expect.format,
            nan_ratio=0.0,
            inf_ratio=0.0,
            black=False,
            constant=False,
            luminance_mean=0.5,
        )
        return Verdict(True, facts, "ok", "")


async def body(data: bytes) -> AsyncIterator[bytes]:
    """A request body in one chunk."""
    yield data


class LooseFarm:
    """One scheduler on one data folder; `restart` kills it and starts another.

    `sections` are further sections of the settings, by name; the rest are settings of `[farm]`. `bench` is a store for
    its blobs and frames.
    """

    bench: Bench | None = None

    def __init__(
        self,
        data: Path,
        database: str | None = None,
        *,
        sections: dict[str, Any] | None = None,
        bench: Bench | None = None,
        **farm: Any,
    ) -> None:
        self.bench = bench
        self.runner = asyncio.Runner()
        self.clock = self.make_clock()
        limits = LimitSettings(free_min_bytes=0)
        self.settings = Settings(
            server=ServerSettings(data=data, database=database, output_roots=(data,)),
            farm=FarmSettings(**farm),
            limits=limits,
            **(sections or {}),
        )
        self._open()

    def _open(self) -> None:
        server = self.settings.server
        self.store = Store(server.data, server.database, self.bench.storage(server.data) if self.bench else None)
        imaging: Any = self.make_imaging()
        self.services = assemble(
            self.store, self.settings, self.clock, imaging, farm_id=FARM_ID, backends=self.make_backend
        )
        self.farm, self.identity = self.services.farm, self.services.identity
        self.publisher, self.leasing = self.services.publisher, self.services.leasing
        self.staging = self.services.staging
        self.tick = Tick(self.farm, self.services.surveyor, self.services.capper)
        restore(self.farm)
        self.publish_pending()

    def make_imaging(self) -> Any:
        """What decodes files; tests that need another one say so."""
        return TrustingImaging()

    def make_clock(self) -> ManualClock:
        """The clock that tests move."""
        return ManualClock()

    def make_backend(self, pool: str, settings: PoolSettings, farm_id: str) -> Backend:
        """What launches instances; tests that launch any put their own provider here."""
        return make(pool, settings, farm_id)

    def publish_pending(self) -> None:
        """Take up what a restart interrupted."""

        async def resume() -> None:
            self.publisher.resume()
            await self.publisher.settled()

        self.run(resume())

    def run(self, coroutine: Coroutine[Any, Any, Result]) -> Result:
        """Run one use case to its end."""
        return self.runner.run(coroutine)

    def restart(self) -> None:
        """The process dies and another one starts on the same folder."""
        self.store.close()
        self._open()
        self.run(self.tick.run())

    def close(self) -> None:
        """Put everything away."""
        self.store.close()
        self.runner.close()

    def join(self, name: str = "w", *, pool: str = "onprem", slots: int = 4, **capabilities: Any) -> str:
        """A new worker; returns its id."""

        async def join() -> str:
            _id, code = await self.identity.new_token(name, Role.JOIN)
            machine = Capabilities(**({"vcpus": 8, "memory_gib": 16, "renderers": RENDERERS} | capabilities))
            welcome = await register_worker(
                self.farm,
                self.identity,
                WorkerHello(join=code, name=name, pool=pool, slots=slots, capabilities=machine),
            )
            await self.tick.run()
            return welcome.worker

        return self.run(join())

    def submit(self, **payload: Any) -> int:
        """Submit and plan; returns the job's number."""

        async def submit() -> int:
            job = await submit_job(self.farm, "artist", validate_payload({"name": "job"} | payload))
            await self.tick.run()
            return job

        return self.run(submit())

    def sync(self, worker: str, **request: Any) -> SyncReply:
        """One call of a worker."""
        return self.run(self.leasing.sync(worker, SyncRequest(**request)))

    def deliver(self, worker: str, lease: Lease, data: bytes = b"pixels") -> SyncReply:
        """Stage what the lease asks for, report it, and let it be published."""
        report = self.finished(lease, data)

        async def deliver() -> SyncReply:
            for file in report.files:
                name, digest = file.name, file.hash
                await self.staging.stage_file(lease.task, lease.attempt, lease.secret, name, body(data), digest)
            reply = await self.leasing.sync(worker, SyncRequest(reports=[report]))
            await self.publisher.settled()
            return reply

        return self.run(deliver())

    def finished(self, lease: Lease, data: bytes = b"pixels") -> Report:
        """The report of a worker that has done what the lease asks for."""
        digest = hashlib.sha256(data).hexdigest()
        files: list[OutputFile] = []
        if lease.renderer != "null":
            if lease.partial:
                files = [OutputFile("partial.npz", len(data), digest, "partial", meta={"n": 1})]
            else:
                files = [OutputFile(f"{f:04d}.{lease.format}", len(data), digest, "frame", f) for f in lease.frames]
        return Report(lease.task, lease.attempt, lease.secret, "done", files=files, seconds=1.0)
