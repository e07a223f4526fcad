"""A scheduler with local workers in one process tree: what `up`, `scheduler` and `demo` run."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import replace

from scheduler.bootstrap.serving import serve
from scheduler.cli.local_workers import Crew, LocalWorkers
from scheduler.service.identity import Role
from scheduler.service.services import Services
from scheduler.settings import Settings

WORKERS_JOIN_S = 15.0
"""How long to wait for the local workers before the farm is called ready; they join in a second or two."""

WORKERS_POLL_S = 0.02


def reachable(url: str) -> str:
    """The URL under which this machine itself reaches a scheduler that listens on every address."""
    return url.replace("://0.0.0.0:", "://127.0.0.1:").replace("://[::]:", "://[::1]:")


async def run_farm(
    settings: Settings, crew_of: Callable[[str], Crew], on_up: Callable[[str, Callable[[], None]], None]
) -> None:
    """Serve with local workers until a signal; workers drain first, the scheduler stops last.

    `crew_of(url)` says which workers; `on_up(url, leave)` is called when everything stands, and calling `leave()` in
    the loop's thread does what SIGTERM does.

    Raises:
        Unavailable: the address or the data folder cannot be used.
    """
    stop = asyncio.Event()
    started: list[LocalWorkers] = []

    async def on_ready(services: Services, url: str) -> None:
        url = reachable(url)
        crew, authority = crew_of(url), services.farm.authority
        if authority is not None:
            crew = replace(crew, ca_pin=authority.pin)
        workers = await _start_workers(services, crew, stop)
        started.append(workers)
        on_up(url, _drain_on_signal(workers, stop))

    try:
        await serve(settings, on_ready, stop=stop)
    finally:
        for workers in started:
            await workers.kill()


async def _start_workers(services: Services, crew: Crew, stop: asyncio.Event) -> LocalWorkers:
    """Start them and wait until they have reported for work, for a while."""

    async def new_code(name: str) -> str:
        _id, code = await services.identity.new_token(f"local worker {name}", Role.JOIN)
        return code

    workers = LocalWorkers(crew, new_code)
    clock, live = services.farm.clock, services.farm.live
    since = clock.monotonic()
    await workers.start()
    while clock.monotonic() - since < WORKERS_JOIN_S and not stop.is_set():
        if sum(worker.last_seen_s >= since for worker in live.workers.values()) >= crew.count:
            break
        await asyncio.sleep(WORKERS_POLL_S)
    return workers


def _drain_on_signal(workers: LocalWorkers, stop: asyncio.Event) -> Callable[[], None]:
    """The first signal drains, the second one hurries. Takes the place of the scheduler's own handlers."""
    loop = asyncio.get_running_loop()
    leaving: list[asyncio.Task[None]] = []

    async def leave() -> None:
        await workers.stop()
        stop.set()

    def on_signal() -> None:
        if leaving:
            workers.hurry()
        else:
            leaving.append(loop.create_task(leave(), name="leave"))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)
    return on_signal
