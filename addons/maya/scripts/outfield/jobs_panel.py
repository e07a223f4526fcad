# SPDX-License-Identifier: Apache-2.0
"""The artist's jobs below the panel: progress, newest picture, and what can be done about each; and the outlook."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, List

from maya import cmds

from . import session, widgets
from .outfield_core.client import quoted
from .outfield_core.costs import cost_lines
from .outfield_core.following import JobView
from .outfield_core.hashing import shown
from .outfield_core.texts import tr

STATUS_WORDS = {
    "QUEUED": "waits",
    "RUNNING": "renders",
    "PAUSED": "on hold",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "CANCELED": "canceled",
}
PRIORITY_STEP = 10


def state(here: Any) -> Any:
    """What the list looks like."""
    return [
        (job.id, job.status, job.done, job.total, job.failed, job.priority, job.newest)
        for job in here.follower.view.jobs
    ] + list(here.fetched)


def jobs(place: str, here: Any) -> None:
    """One frame for each job."""
    widgets.line(place, tr("My jobs on the farm"))
    if not here.follower.view.jobs:
        widgets.line(place, tr("None yet."))
    for job in here.follower.view.jobs:
        _job(place, job, here)
    for path in here.fetched:
        widgets.line(place, path)


def _job(place: str, job: JobView, here: Any) -> None:
    inner = widgets.frame(place, "OutfieldJob_" + job.id, "{} {}".format(job.id, shown(job.name)))
    widgets.bar(inner, job.fraction)
    status = tr(STATUS_WORDS.get(job.status, STATUS_WORDS["QUEUED"]))
    text = tr("{status}, {done} of {total}", status=status, done=job.done, total=job.total)
    widgets.line(inner, text + (", " + tr("{count} failed", count=job.failed) if job.failed else ""))
    widgets.buttons(inner, [(tr(label), order) for label, order in orders(job, here)])


LABELS = {
    "open": "Fetch the frame",
    "page": "Show the job in the browser",
    "retry": "Try the failed tasks again",
    "pause": "Hold",
    "resume": "Let the job go on",
    "sooner": "Sooner",
    "cancel": "Cancel the job; frames that are there stay",
}


def orders(job: JobView, here: Any) -> List[Any]:
    """What can be done about a job now: a label and a call for each."""
    follower = here.follower
    found: List[Any] = [(LABELS["page"], lambda: _page(job))]
    if job.newest is not None:
        found.append((LABELS["open"], lambda: follower.fetch_frame(job.id, int(job.newest or 0))))
    if job.failed or job.status == "CANCELED":
        found.append((LABELS["retry"], lambda: follower.retry(job.id)))
    if not job.has_ended:
        is_held = job.status == "PAUSED"
        name, order = ("resume", follower.resume) if is_held else ("pause", follower.pause)
        found.append((LABELS[name], lambda: order(job.id)))
        higher = min(100, job.priority + PRIORITY_STEP)
        found.append((LABELS["sooner"], lambda: follower.prioritise(job.id, higher)))
        found.append((LABELS["cancel"], lambda: follower.cancel(job.id)))
    return found


def _page(job: JobView) -> None:
    client = session.current().client()
    if client is not None:
        cmds.launch(webPage="{}/#/jobs/{}".format(client.server, quoted(job.id)))


def outlook(trial: Dict[str, Any]) -> List[str]:
    """Where the job would run, when it would be done and what it would cost, in words."""
    lines = []
    route, estimate = trial.get("route") or {}, trial.get("estimate") or {}
    pools = ", ".join(str(each) for each in route.get("chosen") or [])
    if pools:
        lines.append(tr("Runs on {pools}", pools=pools))
    elif trial.get("placeable") is False:
        reasons = [str(each["reason"]) for each in route.get("pools") or [] if each.get("reason")]
        lines.append(tr("No place can take it: {reason}", reason="; ".join(reasons[:2])))
    rank = trial.get("rank") or {}
    if rank:
        lines.append(tr("Rank {position} of {of}", position=rank.get("position", "?"), of=rank.get("of", "?")))
    finish, low, high = (_clock(str(estimate.get(name) or "")) for name in ("finish", "low", "high"))
    if finish:
        between = " ({})".format(tr("{low} to {high}", low=low, high=high)) if low and high and low != high else ""
        lines.append(tr("Done about {finish}", finish=finish) + between)
    return lines + cost_lines(trial)


def _clock(text: str) -> str:
    """A time of the farm's (`2026-12-01T18:00:00.5Z`) in this machine's zone; "" where it cannot be read."""
    head, _, fraction = text.rstrip("Z").partition(".")
    zone = "+" + fraction.partition("+")[2].replace(":", "") if "+" in fraction else "+0000"
    if "+" in head:
        head, _, offset = head.partition("+")
        zone = "+" + offset.replace(":", "")
    try:
        moment = datetime.strptime(head + zone, "%Y-%m-%dT%H:%M:%S%z").astimezone()
    except ValueError:
        return ""
    today = datetime.now().astimezone().date()
    return moment.strftime("%H:%M" if moment.date() == today else "%d.%m. %H:%M")
