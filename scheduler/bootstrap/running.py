"""One scheduler without its HTTP face: opened, restored, ticking; stopped in reverse."""

from __future__ import annotations

import asyncio
import gc
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from scheduler.bootstrap.assembling import assemble
from scheduler.clock import Clock, SystemClock
from scheduler.errors import Unavailable
from scheduler.imaging.pool import ImagingPool
from scheduler.objects.opening import open_storage
from scheduler.priorities.delivering import DELIVER_INTERVAL_S
from scheduler.security.files import write_whole
from scheduler.service.earning import BOOK_INTERVAL_S, book_attempts
from scheduler.service.identity import Role
from scheduler.service.keeping import keep_house
from scheduler.service.restoring import restore
from scheduler.service.services import Services
from scheduler.service.sites import SITES_LOOK_S
from scheduler.settings import Settings
from scheduler.store.store import Store
from scheduler.store.tables import Meta
from scheduler.store.transaction import Transaction
from scheduler.tick import Tick

KEEP_HOUSE_S = 3600.0
TRACKER_LOOK_S = 1.0
"""How often it is looked whether a sync with the tracker is due; the sync itself has an interval of its own."""

LEARNED_FLUSH_S = 30.0
"""How often frame times that were learned are written down."""

MONEY_S = 30.0
"""How often it is counted what the budgets have spent."""

GC_YOUNG_MAX, GC_GENERATIONS = 50_000, 20
"""New objects after which the collector looks at the young ones, and how many such looks make one at older ones."""

ADMIN_TOKEN_FILE = "admin.token"

log = structlog.get_logger()


@asynccontextmanager
async def running(settings: Settings, clock: Clock | None = None) -> AsyncIterator[Services]:
    """A whole scheduler: opened, restored, ticking; closed on the way out.

    Raises:
        Unavailable: the data folder, the database or the storage cannot be used.
        Refused: the rules of the settings or the storage URL are wrong.
    """
    server = settings.server
    storage = await asyncio.to_thread(open_storage, server.storage, settings.storage, server.data)
    store = Store(server.data, server.database, storage, database_wait_s=server.database_wait_s)
    try:
        imaging = ImagingPool(
            size=settings.imaging.processes,
            files_max=settings.imaging.files_max,
            memory_max_bytes=settings.imaging.memory_max_bytes,
            timeout_s=settings.imaging.timeout_s,
        )
        services = assemble(store, settings, clock or SystemClock(), imaging, farm_id=await farm_id_of(store))
        await _ensure_admin(services)
        async with _ticking(services):
            yield services
    finally:
        store.close()


@asynccontextmanager
async def _ticking(services: Services) -> AsyncIterator[None]:
    """Restore, plan once, then let APScheduler drive everything that happens by the clock."""
    farm = services.farm
    farm.store.blobs.sweep()
    leases = restore(farm)
    await asyncio.to_thread(services.estimator.load, farm.store)
    await asyncio.to_thread(services.surveyor.load)
    await services.imaging.start()
    tick = Tick(farm, services.surveyor, services.capper)
    await tick.run()
    await services.forecaster.run()
    await services.launcher.start()
    services.surveyor.take_budgets(await services.treasurer.run())
    resumed = services.publisher.resume()
    calm_collector()
    log.info("scheduler.restored", leases=leases, publishing=resumed, workers=len(farm.live.workers))
    follower = asyncio.create_task(tick.follow(), name="replan")
    timer = timetable(services, tick)
    timer.start()
    try:
        yield
    finally:
        timer.shutdown(wait=False)
        follower.cancel()
        with suppress(asyncio.CancelledError):
            await follower
        await services.sites.close()
        await services.publisher.drain()
        await services.following.close()
        await services.launcher.close()
        if services.courier is not None:
            services.courier.close()
        with suppress(Unavailable):  # the database is lost: what was learned since is learned again
            await farm.store.awrite(lambda tx: services.estimator.flush(tx, farm.now_s()))
        await services.imaging.close()


def calm_collector() -> None:
    """Let the garbage collector leave alone what lives as long as the scheduler, and look less often at the rest.

    A plan of ten thousand steps makes some fifty thousand objects without a cycle among them; with Python's usual
    thresholds, looking for cycles costs a fifth of the plan.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_YOUNG_MAX, GC_GENERATIONS, GC_GENERATIONS)


def timetable(services: Services, tick: Tick) -> AsyncIOScheduler:
    """What happens at which interval; one of each at a time, and what was missed is not caught up with."""
    farm, settings = services.farm, services.farm.settings

    async def flush_learned() -> None:
        await farm.store.awrite(lambda tx: services.estimator.flush(tx, farm.now_s()))

    async def count_money() -> None:
        services.surveyor.take_budgets(await services.treasurer.run())

    timer = AsyncIOScheduler(
        timezone="UTC", job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None}
    )
    timer.add_job(tick.run, "interval", seconds=settings.farm.tick_s)
    timer.add_job(keep_house, "interval", [farm], seconds=KEEP_HOUSE_S)
    timer.add_job(services.forecaster.run, "interval", seconds=settings.estimates.interval_s)
    timer.add_job(flush_learned, "interval", seconds=LEARNED_FLUSH_S)
    timer.add_job(book_attempts, "interval", [farm], seconds=BOOK_INTERVAL_S)
    if services.scaler.pools:
        timer.add_job(services.scaler.run, "interval", seconds=settings.farm.scale_s)
    if settings.budgets:
        timer.add_job(count_money, "interval", seconds=MONEY_S)
    if services.launcher.desks:
        timer.add_job(services.launcher.rounds, "interval", seconds=settings.farm.look_s)
    if farm.tracker is not None:
        timer.add_job(services.following.poll, "interval", seconds=TRACKER_LOOK_S)
    if services.sites.hands:
        timer.add_job(services.sites.poll, "interval", seconds=SITES_LOOK_S)
    if services.courier is not None:
        timer.add_job(services.courier.deliver, "interval", seconds=DELIVER_INTERVAL_S)
    return timer


async def farm_id_of(store: Store) -> str:
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
    write_whole(path, f"{text}\n".encode(), mode=0o600)
