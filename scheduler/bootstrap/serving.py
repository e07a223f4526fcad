"""Serving one scheduler over HTTP until it is told to stop, and the event loop that it runs in."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import uvicorn

from scheduler.api.app import make_app
from scheduler.api.coalescing import CoalescingProtocol
from scheduler.api.hosts import EVERYWHERE
from scheduler.bootstrap.running import running
from scheduler.bootstrap.tls import renew, use_tls
from scheduler.errors import Unavailable
from scheduler.service.farm import Farm
from scheduler.service.services import Services
from scheduler.settings import Settings

START_POLL_S = 0.005
THREAD_SWITCH_S = 0.001
GRACEFUL_S = 5
RENEW_LOOK_S = 12 * 3600.0
"""How often it is looked whether the certificate has to be renewed."""

Result = TypeVar("Result")
OnReady = Callable[[Services, str], Awaitable[None]]


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
        return f"{'https' if self.config.is_ssl else 'http'}://{host}:{name[1]}"


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
        Unavailable: the address, the data folder or the database cannot be used, or the database server was lost.
    """
    stopping = stop or asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stopping.set)
    listener = _listen(settings.server.host, settings.server.port)
    async with running(settings) as services:
        lost = services.farm.store.writer.lost
        lost.when(lambda: loop.call_soon_threadsafe(stopping.set))
        config = _configured(services)
        server = _Server(config)
        serving = asyncio.create_task(server.serve_on(listener), name="http")
        waiting = asyncio.create_task(stopping.wait(), name="stop")
        while not server.started and not serving.done():  # noqa: ASYNC110  uvicorn tells by a flag only
            await asyncio.sleep(START_POLL_S)
        renewing = asyncio.create_task(_renew(services.farm, config), name="certificate")
        if server.started:
            services.farm.url = told_url(server.url, settings)
            await on_ready(services, server.url)
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        services.stopping = services.farm.live.stopping = True
        services.farm.live.wake_all()
        services.farm.live.end_subscriptions()
        server.should_exit = True
        await serving
        waiting.cancel()
        renewing.cancel()
    if lost.happened:
        raise Unavailable(
            "The database server has gone away.",
            code="database_lost",
            hint="Start the scheduler again: it waits for the server, and goes on with what is stored.",
        )


def _configured(services: Services) -> uvicorn.Config:
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
    use_tls(config, services.farm)
    return config


async def _renew(farm: Farm, config: uvicorn.Config) -> None:
    """Look after the certificate as long as the scheduler runs."""
    while True:
        await asyncio.sleep(RENEW_LOOK_S)
        await asyncio.to_thread(renew, farm, config)


def told_url(url: str, settings: Settings) -> str:
    """The URL that workers elsewhere are told: of a scheduler that listens on every address, this machine's name."""
    if settings.server.host not in EVERYWHERE:
        return url
    scheme, port = url.partition("://")[0], url.rpartition(":")[2]
    return f"{scheme}://{socket.gethostname()}:{port}"


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
