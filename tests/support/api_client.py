"""A whole farm with its HTTP face, without a network: requests go straight into the ASGI app, on a clock tests move.

`ServedFarm.call` is synchronous, so that hypothesis and parametrised tests can use it. `MATRIX_ROLES` are the callers
of the permission matrix.
"""

from __future__ import annotations

import asyncio
import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import unquote

import httpx
import msgspec
from farms import LooseFarm, TrustingImaging
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Match

from scheduler.api.app import make_app
from scheduler.api.shapes import ErrorEnvelope
from scheduler.clock import ManualClock
from scheduler.imaging.facts import Verdict
from scheduler.protocol.work import Lease
from scheduler.service.identity import Role
from scheduler.settings import FarmSettings, LimitSettings, ServerSettings, Settings
from scheduler.store.frames import is_object
from scheduler.store.tables import Frame

if TYPE_CHECKING:
    from store_bench import Bench

HOST = "127.0.0.1:8000"
DATABASE = "outfield.sqlite"
ANYWHERE = frozenset({400, 401, 403, 405, 413, 422, 429, 500, 503, 507})
"""Errors that any call may answer with."""

MATRIX_ROLES = ("none", "wrong", "worker", "user", "admin")


class PaintingImaging(TrustingImaging):
    """Writes a few bytes where a picture is asked for; `verdict` is what it answers."""

    def __init__(self) -> None:
        self.verdict = Verdict(True, None, "ok", "")
        self.asked: list[tuple[Any, ...]] = []

    async def preview(self, path: Path, out: Path, width_px: int, kind: str = "webp") -> Verdict:
        """A picture that says how wide it would be."""
        self.asked.append(("preview", path, out, width_px))
        if self.verdict.ok:
            out.write_bytes(f"{kind} {width_px}".encode())
        return self.verdict

    async def sheet(self, entries: Sequence[tuple[str, Path]], out: Path, columns: int, cell_px: int) -> Verdict:
        """A sheet that says what is on it."""
        self.asked.append(("sheet", tuple(label for label, _path in entries), columns, cell_px))
        if self.verdict.ok:
            out.write_bytes(b"sheet")
        return self.verdict


def check_shape(app: FastAPI, response: httpx.Response) -> None:
    """Compare an answer with what its route declares: the status is listed, and JSON has the shape."""
    assert response.headers.get("x-content-type-options") == "nosniff"
    if response.request.method == "HEAD":
        return
    if response.status_code in ANYWHERE or response.headers.get("content-type") != "application/json":
        if response.status_code >= 400:
            ErrorEnvelope.model_validate_json(response.content)
        return
    scope = {"type": "http", "method": response.request.method, "path": unquote(response.request.url.path)}
    route = next((r for r in app.router.routes if isinstance(r, APIRoute) and r.matches(scope)[0] is Match.FULL), None)
    if route is None or not route.include_in_schema:
        return
    declared = route.responses.get(response.status_code)
    assert declared is not None, f"{route.path} does not declare {response.status_code}: {response.text[:200]}"
    declared["model"].model_validate_json(response.content)


@dataclass
class _Template:
    """The database of a farm that has just been set up: a copy costs a tenth of migrating, and of hiring a worker."""

    made: ClassVar[_Template | None] = None
    database: bytes
    tokens: dict[str, str]
    worker: str

    def copy(self, farm: ServedFarm) -> None:
        """Give a new farm this database, and the tokens that are in it."""
        farm.settings.server.data.mkdir(parents=True, exist_ok=True)
        (farm.settings.server.data / DATABASE).write_bytes(self.database)
        farm.tokens, farm.worker = dict(self.tokens), self.worker

    @classmethod
    def get(cls) -> _Template:
        """Set up a farm once per process."""
        if cls.made is None:
            with tempfile.TemporaryDirectory() as folder:
                farm = ServedFarm(Path(folder), bare=True)
                farm.close()
                cls.made = cls((Path(folder) / DATABASE).read_bytes(), farm.tokens, farm.worker)
        return cls.made


@dataclass(frozen=True)
class Published:
    """A published frame: at `path`, or an object of a store (and then only `where` says so)."""

    farm: ServedFarm
    path: Path
    where: str

    def remove(self) -> None:
        """Somebody removes it behind the farm's back."""
        if not is_object(self.where):
            self.path.unlink()
            return
        key = self.where.removeprefix(f"{self.farm.store.storage.objects.url}/")
        self.farm.store.storage.objects.remove(key)
        self.farm.store.storage.copies.drop(key)

    def overwrite(self, content: bytes) -> None:
        """Somebody puts something else there."""
        self.remove()
        self.path.write_bytes(content)
        if is_object(self.where):
            key = self.where.removeprefix(f"{self.farm.store.storage.objects.url}/")
            self.farm.store.storage.objects.put(key, self.path)


class ServedFarm(LooseFarm):
    """A farm, its app, and a token for every role."""

    def __init__(
        self,
        data: Path,
        *,
        server: dict[str, Any] | None = None,
        bench: Bench | None = None,
        bare: bool = False,
        **limits: Any,
    ) -> None:
        self.bench = bench
        self.runner = asyncio.Runner()
        self.clock = ManualClock()
        self.settings = Settings(
            server=ServerSettings(**({"data": data, "output_roots": (data,)} | (server or {}))),
            farm=FarmSettings(),
            limits=LimitSettings(**({"free_min_bytes": 0} | limits)),
        )
        self.tokens: dict[str, str] = {}
        self.worker = ""
        if bare:
            self._open()
            self._settle_in()
        else:
            _Template.get().copy(self)
            self._open()

    def _settle_in(self) -> None:
        for role in ("admin", "user"):
            self.tokens[role] = self.run(self.identity.new_token(role, Role(role)))[1]
        self.worker, self.tokens["worker"] = self.hire("w1")
        self.tokens["wrong"] = "ofd_0123456789ab_" + "x" * 32

    def _open(self) -> None:
        super()._open()
        self.app = make_app(self.services)
        self.client = self.new_client()

    def make_imaging(self) -> PaintingImaging:
        """What paints instead of decoding."""
        self.imaging = PaintingImaging()
        return self.imaging

    def new_client(self) -> httpx.AsyncClient:
        """A client that goes straight into the app."""
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=f"http://{HOST}")

    def headers(self, role: str) -> dict[str, str]:
        """What a caller of this role sends."""
        return {} if role == "none" else {"Authorization": f"Bearer {self.tokens[role]}"}

    def call(self, method: str, path: str, role: str = "user", **request: Any) -> httpx.Response:
        """One request. Whatever comes back must be what the document says that this call answers."""
        headers = {**self.headers(role), **request.pop("headers", {})}
        response = self.run(self.client.request(method, path, headers=headers, **request))
        check_shape(self.app.api, response)
        return response

    def data(self, method: str, path: str, role: str = "user", **request: Any) -> Any:
        """One request that succeeds; its `data`."""
        response = self.call(method, path, role, **request)
        assert response.is_success, response.text
        return response.json()["data"]

    def hire(self, name: str) -> tuple[str, str]:
        """A worker joins over HTTP; returns its id and token."""
        code = self.run(self.identity.new_token(name, Role.JOIN))[1]
        renderers = {"null": ["1"], "kernel": ["0.1.0"]}
        machine = {"vcpus": 8, "memory_gib": 16, "renderers": renderers}
        hello = {"join": code, "name": name, "slots": 4, "capabilities": machine}
        welcome = self.data("POST", "/workers", "none", json=hello)
        self.run(self.tick.run())
        return welcome["worker"], welcome["token"]

    def post_job(self, **payload: Any) -> str:
        """Submit over HTTP and plan; returns the jobID."""
        job = self.data("POST", "/new_job", json={"name": "job"} | payload)
        self.run(self.tick.run())
        return job["jobID"]

    def lease(self, want: int = 1) -> list[Lease]:
        """What the first worker gets, over HTTP."""
        reply = self.data("POST", f"/workers/{self.worker}/sync", "worker", json={"want": want})
        return [msgspec.convert(lease, Lease) for lease in reply["leases"]]

    def publish(self, job: str, frame: int, pixels: bytes = b"pixels") -> Published:
        """A frame appears as if a worker had rendered it, where this farm keeps its frames."""
        path = self.settings.server.data / "out" / f"beauty.{frame:04d}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(pixels)
        digest = hashlib.sha256(pixels).hexdigest()
        where = str(path)
        if self.store.frames.remote:
            where = self.store.frames.store(path, job=int(job), name=path.name, sha256=digest)
        row = Frame(
            job_id=int(job), frame=frame, task_id=1, attempt=1, path=where, size=len(pixels), hash=digest,
            width=2, height=1, channels="R,G,B", published_at=self.farm.now_s(),
        )  # fmt: skip
        self.store.write(lambda tx: tx.session.add(row))
        return Published(self, path, where)

    def close(self) -> None:
        self.run(self.client.aclose())
        super().close()
