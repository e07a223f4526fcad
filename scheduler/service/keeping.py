"""What is kept and for how long: events, idempotency keys, ended jobs, unused blobs, stale staging folders."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import structlog
from sqlmodel import col, delete, select
from sqlmodel.sql.expression import SelectOfScalar

from scheduler.domain.handover import HandoverState
from scheduler.domain.states import TERMINAL_JOBS, AttemptStatus
from scheduler.errors import Unavailable
from scheduler.protocol.bundles import UnsafeBundle, read_bundle
from scheduler.service.farm import Farm
from scheduler.service.handing_over import needed_blobs, open_handovers
from scheduler.store.production import Forecast, Outgoing, PriorityOverride
from scheduler.store.sites import Handover
from scheduler.store.tables import Attempt, Blob, Event, Frame, IdempotencyKey, Job, JobDependency, Step, Task
from scheduler.store.transaction import Transaction

DAY_S = 86_400.0
BATCH_MAX = 500
"""Jobs or blobs forgotten in one transaction, so that retention never holds the writer for long."""

STAGING_KEEP_S = DAY_S

log = structlog.get_logger()


async def keep_house(farm: Farm) -> dict[str, int]:
    """Forget what is older than the settings say; returns how much of each."""
    settings, now_s = farm.settings.farm, farm.now_s()
    await farm.store.awrite(
        lambda tx: _forget_rows(tx, now_s, settings.keep_events_days, settings.keep_idempotency_days)
    )
    staged = await asyncio.to_thread(_sweep_staging, farm, now_s - STAGING_KEEP_S)
    try:
        staged += await asyncio.to_thread(farm.store.frames.sweep, now_s - farm.settings.storage.stale_upload_s)
    except Unavailable as error:
        # Rows that went now would leave their objects behind: better the next time.
        log.warning("retention.waits", reason=error.message)
        return {"jobs": 0, "blobs": 0, "staging": staged}
    jobs = await farm.store.awrite(lambda tx: _forget_jobs(tx, now_s - settings.keep_jobs_days * DAY_S))
    for job in jobs:
        await asyncio.to_thread(_remove_folders, farm, job)
    bundled = await asyncio.to_thread(_bundled, farm)
    blobs = await farm.store.awrite(lambda tx: _forget_blobs(tx, now_s - settings.keep_blobs_days * DAY_S, bundled))
    for blob in blobs:
        await asyncio.to_thread(farm.store.blobs.remove, blob)
    kept = {"jobs": len(jobs), "blobs": len(blobs), "staging": staged}
    if any(kept.values()):
        log.info("retention", **kept)
    return kept


def _forget_rows(tx: Transaction, now_s: float, events_days: float, keys_days: float) -> None:
    tx.session.exec(delete(Event).where(col(Event.at) < now_s - events_days * DAY_S))
    tx.session.exec(delete(IdempotencyKey).where(col(IdempotencyKey.created_at) < now_s - keys_days * DAY_S))


def _forget_jobs(tx: Transaction, before_s: float) -> list[int]:
    """Ended jobs, with everything that hangs on them. Published frames at the artist's path stay where they are."""
    found = tx.session.exec(
        # One that another farm is still to be told of stays until it was told.
        select(Job.id)
        .where(col(Job.ended_at) < before_s, col(Job.status).in_(list(TERMINAL_JOBS)))
        .where(col(Job.id).not_in(select(Handover.job_id).where(Handover.state != HandoverState.CLOSED)))
        .limit(BATCH_MAX)
    ).all()
    jobs = [job for job in found if job is not None]
    if not jobs:
        return []
    tasks = select(Task.id).where(col(Task.job_id).in_(jobs))
    tx.session.exec(delete(Attempt).where(col(Attempt.task_id).in_(tasks)))
    tx.session.exec(delete(JobDependency).where(col(JobDependency.job).in_(jobs) | col(JobDependency.needs).in_(jobs)))
    for table in (Frame, Task, Step, Forecast, PriorityOverride, Outgoing, Handover):
        tx.session.exec(delete(table).where(col(table.job_id).in_(jobs)))
    tx.session.exec(delete(Job).where(col(Job.id).in_(jobs)))
    return jobs


def _bundled(farm: Farm) -> set[str]:
    """Files of the bundles of jobs that may still run. A bundle that comes in now has its files marked as used."""
    with farm.store.read() as session:
        bundles = {scene.get("bundle") for scene in session.exec(_living_scenes()).all()} - {None}
    files: set[str] = set()
    for bundle in bundles:
        try:
            files.update(read_bundle(farm.store.blobs.path(str(bundle)).read_bytes()).files.values())
        except (OSError, UnsafeBundle) as error:
            log.warning("bundle_unreadable", bundle=bundle, reason=str(error))
    return files


def _living_scenes() -> SelectOfScalar[Any]:
    return select(Job.scene).where(col(Job.status).not_in(list(TERMINAL_JOBS)))


def _forget_blobs(tx: Transaction, before_s: float, bundled: set[str]) -> list[str]:
    """Blobs that nothing has used for long, and that no job which may still run refers to."""
    living = tx.session.exec(_living_scenes()).all()
    needed = {scene.get(key) for scene in living for key in ("blob", "archive", "bundle")} | bundled
    needed |= needed_blobs(open_handovers(tx.session))
    old = tx.session.exec(select(Blob).where(col(Blob.used_at) < before_s).limit(BATCH_MAX)).all()
    gone = [row for row in old if row.hash not in needed]
    for row in gone:
        tx.session.delete(row)
    return [row.hash for row in gone]


def _remove_folders(farm: Farm, job: int) -> None:
    farm.store.frames.forget(job)
    for folder in (farm.store.folders.frames, farm.store.folders.logs, farm.store.folders.previews):
        shutil.rmtree(folder / f"{job:05d}", ignore_errors=True)


def _sweep_staging(farm: Farm, before_s: float) -> int:
    """Staging folders without a current attempt, older than a day; nothing else."""
    with farm.store.read() as session:
        publishing = set(session.exec(select(Attempt.task_id).where(Attempt.status == AttemptStatus.PUBLISHING)).all())
    swept = 0
    for folder in farm.store.folders.staging.iterdir():
        task = int(folder.name) if folder.name.isdigit() else None
        if task in publishing or task in farm.live.leases or _newest(folder) >= before_s:
            continue
        shutil.rmtree(folder, ignore_errors=True)
        swept += 1
    return swept


def _newest(folder: Path) -> float:
    return max((path.stat().st_mtime for path in (folder, *folder.rglob("*"))), default=0.0)
