"""The only wiring: makes the parts, starts them in order, and stops them in reverse.

`build` is for tests and for `serve`; `serve` runs one scheduler until it is told to stop.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import structlog
import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from scheduler.api.app import make_app
from scheduler.api.coalescing import CoalescingProtocol
from scheduler.clock import Clock, SystemClock
from scheduler.errors import Unavailable
from scheduler.imaging.pool import ImagingPool
from scheduler.service.farm import Farm
from scheduler.service.identity import Identity, Role
from scheduler.service.keeping import keep_house
from scheduler.service.leasing import Leasing
from scheduler.service.live import Live
from scheduler.service.publishing import Publisher
from scheduler.service.restoring import restore
from scheduler.service.services import Services
from scheduler.service.staging import Staging
from scheduler.settings import Settings
from scheduler.store.store import Store
from scheduler.store.tables import Meta
from scheduler.store.writer import Transaction
from scheduler.tick import Tick

KEEP_HOUSE_MINUTES = 60
START_POLL_S = 0.005
THREAD_SWITCH_S = 0.001
GRACEFUL_S = 5
ADMIN_TOKEN_FILE = "admin.token"

log = structlog.get_logger()

Result = TypeVar("Result")
OnReady = Callable[[Services, str], Awaitable[None]]


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """A whole scheduler without its HTTP face: opened, restored, ticking; closed on the way out.

    Raises:
        Unavailable: the data folder or the database cannot be used.
    """
    clock = clock or SystemClock()
    if settings.server.storage is not None:
        raise Unavailable(
            "This release keeps files in the data folder only.", hint="Leave out --storage.", code="storage_unknown"
        )
    store = Store(settings.server.data, settings.server.database)
    try:
        farm = Farm(store, clock, settings, Live())
        identity = Identity(farm)
        identity.load()
        imaging = ImagingPool(
            size=settings.imaging.processes,
            files_max=settings.imaging.files_max,
            memory_max_bytes=settings.imaging.memory_max_bytes,
            timeout_s=settings.imaging.timeout_s,
        )
        publisher = Publisher(farm, imaging)
        services = Services(
            farm=farm,
            identity=identity,
            leasing=Leasing(farm, publisher.on_delivered),
            staging=Staging(farm),
            publisher=publisher,
            imaging=imaging,
            farm_id=await _farm_id(store),
            started_at=farm.now_s(),
        )
        await _ensure_admin(services)
        async with _ticking(services):
            yield services
    finally:
        store.close()


@asynccontextmanager
async def _ticking(services: Services) -> AsyncIterator[None]:
    """Restore, plan once, then let APScheduler drive ticks and retention."""
    farm = services.farm
    services.farm.store.blobs.sweep()
    leases = restore(farm)
    await services.imaging.start()
    tick = Tick(farm)
    await tick.run()
    resumed = services.publisher.resume()
    log.info("scheduler.restored", leases=leases, publishing=resumed, workers=len(farm.live.workers))
    follower = asyncio.create_task(tick.follow(), name="replan")
    timer = AsyncIOScheduler(timezone="UTC")
    timer.add_job(
        tick.run, "interval", seconds=farm.settings.farm.tick_s, max_instances=1, coalesce=True, misfire_grace_time=None
    )
    timer.add_job(keep_house, "interval", [farm], minutes=KEEP_HOUSE_MINUTES, max_instances=1, coalesce=True)
    timer.start()
    try:
        yield
    finally:
        timer.shutdown(wait=False)
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower
        await services.publisher.drain()
        await services.imaging.close()


async def _farm_id(store: Store) -> str:
    """The farm's own id, made at its first start."""

    def change(tx: Transaction) -> str:
        row = tx.session.get(Meta, "farm_id")
        if row is None:
            row = Meta(key="farm_id", value=secrets.token_hex(8))
            tx.session.add(row)
        return row.value

    return await store.awrite(change)


async def _ensure_admin(services: Services) -> None:
    """The admin's token is in `DIR/admin.token`, mode 0600; a lost or stale file gets a new one."""
    path = services.farm.settings.server.data / ADMIN_TOKEN_FILE
    with suppress(OSError):
        principal = services.identity.principal(path.read_text().strip())
        if principal is not None and principal.role is Role.ADMIN:
            return
    _id, text = await services.identity.new_token("admin", Role.ADMIN)
    _write_private(path, text + "\n")


def _write_private(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    os.replace(part, path)


class _Server(uvicorn.Server):
    """uvicorn without its signal handling, which would end the process by the signal instead of with 0."""

    async def serve_on(self, listener: socket.socket) -> None:
        """Serve until `should_exit`, leaving the process's signals alone."""
        await self._serve([listener])

    @property
    def url(self) -> str:
        """Where it listens."""
        name = self.servers[0].sockets[0].getsockname()
        host = f"[{name[0]}]" if ":" in name[0] else name[0]
        return f"http://{host}:{name[1]}"


def run_loop(main: Coroutine[Any, Any, Result]) -> Result:
    """Run the scheduler's event loop: uvloop where there is one.

    The interpreter's threads are switched every millisecond instead of every five: the writer's thread comes back from
    an fsync some thousand times a second, and everyone waits for it.
    """
    sys.setswitchinterval(THREAD_SWITCH_S)
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop  # not there on every system
    except ImportError:
        return None
    return uvloop.new_event_loop


async def serve(settings: Settings, on_ready: OnReady, *, stop: asyncio.Event | None = None) -> None:
    """Run one scheduler until SIGTERM or SIGINT (or `stop`); `on_ready` is told when and where it serves.

    Raises:
        Unavailable: the address or the data folder cannot be used.
    """
    stopping = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    listener = _listen(settings.server.host, settings.server.port)
    async with running(settings) as services:
        config = uvicorn.Config(
            make_app(services),
            http=CoalescingProtocol,
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=GRACEFUL_S,
            timeout_keep_alive=75,
            server_header=False,
            date_header=False,
            proxy_headers=False,  # whoever calls is who they are: forwarded addresses are not believed
            h11_max_incomplete_event_size=64 * 1024,
        )
        server = _Server(config)
        serving = asyncio.create_task(server.serve_on(listener), name="http")
        waiting = asyncio.create_task(stopping.wait(), name="stop")
        while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn tells by a flag only
            await asyncio.sleep(START_POLL_S)
        if server.started:
            await on_ready(services, server.url)
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        services.stopping = services.farm.live.stopping = True
        services.farm.live.wake_all()
        services.farm.live.end_subscriptions()
        server.should_exit = True
        await serving
        waiting.cancel()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # Accepted sockets inherit it. Without it, an answer's body waits up to 40 ms for the ACK of its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            code="address_in_use",
            hint="Stop what listens there, or choose another --port (0 takes a free one).",
        ) from error
    listener.listen(2048)
    return listener
