# SPDX-License-Identifier: Apache-2.0
"""What a panel says of what is being done, of a job, and of where, when and for how much a job would be done: words, no
widgets.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Dict, Iterator, Optional, Tuple

from .costs import cost_lines
from .errors import FarmError
from .following import FarmView, JobView
from .texts import tr

STAGES = {
    "reading": "Reading the scene",
    "looking": "Looking for its files",
    "saving": "Saving a copy",
    "keeping": "Writing it to the disk",
    "waiting": "Waiting",
    "hashing": "Reading files",
    "asking": "Asking the farm",
    "uploading": "Sending files",
}
STATUS_WORDS = {
    "QUEUED": "waits",
    "RUNNING": "renders",
    "PAUSED": "on hold",
    "SUCCEEDED": "done",
    "FAILED": "failed",
    "CANCELED": "canceled",
}


def stage_words(stage: str) -> str:
    """What is being done."""
    return tr(STAGES.get(stage, STAGES["waiting"]))


def job_words(job: JobView) -> str:
    """How a job stands."""
    status = tr(STATUS_WORDS.get(job.status, STATUS_WORDS["QUEUED"]))
    text = tr("{status}, {done} of {total}", status=status, done=job.done, total=job.total)
    return text + (", " + tr("{count} failed", count=job.failed) if job.failed else "")


def farm_words(view: FarmView, trouble: Optional[FarmError]) -> str:
    """Where it goes, and whether that is reachable."""
    if view.is_live:
        return tr("Farm {farm}, workers: {count}", farm=view.name, count=workers_there(view))
    if trouble is None:
        return tr("Asking the farm")
    return tr("The farm is away") if trouble.code == "unreachable" else tr("No connection")


def workers_there(view: FarmView) -> int:
    """How many workers are there."""
    return sum(1 for each in view.workers or () if str(each.get("status", "")).lower() not in ("offline", "lost"))


def outlook(trial: Optional[Dict[str, Any]]) -> Iterator[Tuple[str, str]]:
    """Lines on where the job would run, until when and for how much, each with its kind: place, nowhere, rank, time,
    cost."""
    known = trial or {}
    route, rank, estimate = known.get("route") or {}, known.get("rank") or {}, known.get("estimate") or {}
    pools = ", ".join(str(each) for each in route.get("chosen") or [])
    if pools:
        yield "place", tr("Runs on {pools}", pools=pools)
    elif known.get("placeable") is False:
        reasons = [str(each["reason"]) for each in route.get("pools") or [] if each.get("reason")]
        yield "nowhere", tr("No place can take it: {reason}", reason="; ".join(reasons[:2]))
    if rank:
        yield "rank", tr("Rank {position} of {of}", position=rank.get("position", "?"), of=rank.get("of", "?"))
    finish, low, high = (clock(str(estimate.get(name) or "")) for name in ("finish", "low", "high"))
    if finish:
        between = " ({})".format(tr("{low} to {high}", low=low, high=high)) if low and high and low != high else ""
        yield "time", tr("Done about {finish}", finish=finish) + between
    elif estimate.get("basis"):
        yield "time", str(estimate["basis"]).capitalize()
    for line in cost_lines(known):
        yield "cost", line


def clock(text: str) -> str:
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
