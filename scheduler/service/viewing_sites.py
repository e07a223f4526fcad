"""Handovers as they are shown: where a job is, how it stands there, and what keeps it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel import Session, col, select

from scheduler.domain.handover import HandoverState, Outcome
from scheduler.routing.departing import waiting_words
from scheduler.service.farm import Farm, iso
from scheduler.service.site_board import SiteNote
from scheduler.store.sites import Handover

GOES = "is handed over to {site}"
PACKS = "is handed over to {site}: its files are sent ahead"
PAUSED = "will be handed over to {site} when it is resumed"
UNKNOWN = "was sent to {site}; whether it arrived is being found out"
AWAY = "handed over to {site} as {job}, there: {status} {published}/{frames}"
SILENT = "{site} does not answer ({reason}), tried again at {again}"
NEXT = "is handed over to {site} next"
STARTED = "has started here, and {site} takes only whole jobs: cancel and retry it to hand over what is missing"
FORETOLD = "what {site} foretells"
CLOSED = {
    Outcome.HOME: "was rendered by {site} as {job}; its frames are home",
    Outcome.FAILED: "failed at {site}",
    Outcome.CANCELED: "was canceled; {site} has been told",
    Outcome.REFUSED: "{site} did not take it",
    Outcome.WITHDRAWN: "was taken back from {site}",
    Outcome.LOST: "was lost at {site}",
}


def latest(session: Session, job: int) -> Handover | None:
    """The job's newest handover."""
    return session.exec(
        select(Handover).where(Handover.job_id == job).order_by(col(Handover.id).desc()).limit(1)
    ).first()


def site_view(row: Handover | None) -> dict[str, Any] | None:
    """A handover; None for a job that never left."""
    if row is None:
        return None
    return {
        "site": row.site,
        "state": row.state,
        "outcome": row.outcome or None,
        "words": in_words(row),
        "jobID": row.far_job or None,
        "status": row.far_status or None,
        "published": row.far_published,
        "frames": row.far_frames,
        "reason": row.far_reason,
        "finish": row.far_finish or None,
        "worked_s": row.far_worked_s,
        "left_at": iso(row.created_at),
        "admitted_at": iso(row.admitted_at),
        "seen_at": iso(row.seen_at),
        "closed_at": iso(row.closed_at),
    }


def in_words(row: Handover, *, paused: bool = False) -> str:
    """Where a handover stands, as a sentence without its full stop."""
    if row.state == HandoverState.CLOSED:
        told = CLOSED[Outcome(row.outcome)].format(site=row.site, job=row.far_job)
        return f"{told}: {row.reason}" if row.reason and row.outcome != Outcome.HOME else told
    if row.state == HandoverState.PENDING:
        return (PAUSED if paused else GOES if row.shipped else PACKS).format(site=row.site)
    if row.state == HandoverState.SENDING:
        return UNKNOWN.format(site=row.site)
    told = AWAY.format(
        site=row.site, job=row.far_job, status=row.far_status, published=row.far_published, frames=row.far_frames
    )
    return f"{told}, {row.far_reason}" if row.far_reason else told


def why_away(farm: Farm, row: Handover, trouble: str | None, *, paused: bool) -> str:
    """What the tasks of a job wait for that was handed over."""
    told = in_words(row, paused=paused)
    note = farm.sites.sites.get(row.site)
    if note is not None and note.silence is not None:
        told += "; " + silence_words(row.site, note)
    return f"{told}; {trouble}" if trouble else told


def not_away(farm: Farm, chosen: Sequence[str], refused: Mapping[str, str], *, started: bool) -> str | None:
    """Why a job is not at the site that its route chooses; None where none of its pools is a site."""
    site = next((pool for pool in chosen if pool in farm.sites.sites), None)
    if site is None:
        return None
    if started:
        return STARTED.format(site=site)
    words = waiting_words(site, farm.sites.sites[site].offer, refused=refused.get(site))
    return words or (NEXT.format(site=site) if chosen[0] == site else None)


def far_estimate(row: Handover | None) -> dict[str, Any] | None:
    """When a job will be done that is away, as that farm foretells; None where it does not say, or it is here."""
    if row is None or row.state != HandoverState.AWAY or not row.far_finish:
        return None
    return {"finish": row.far_finish, "low": None, "high": None, "basis": FORETOLD.format(site=row.site)}


def silence_words(site: str, note: SiteNote) -> str:
    """Why a site is left alone at present."""
    silence = note.silence
    assert silence is not None
    return SILENT.format(site=site, reason=silence.reason, again=iso(silence.again_s))


def pool_view(farm: Farm, site: str) -> dict[str, Any]:
    """What `GET /pools` tells of a site beyond what it tells of every pool."""
    note = farm.sites.sites[site]
    return {
        "url": note.settings.url,
        "jobs": note.open,
        "jobs_max": note.settings.jobs_max,
        "trouble": silence_words(site, note) if note.silence is not None else None,
    }
