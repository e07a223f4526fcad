# SPDX-License-Identifier: Apache-2.0
"""The artist's jobs below the panel: progress, newest picture, and what can be done about each."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque, List

from maya import cmds

from . import session, widgets
from .outfield_core.client import quoted
from .outfield_core.following import JobView
from .outfield_core.hashing import shown
from .outfield_core.outlook import job_words
from .outfield_core.texts import tr

PRIORITY_STEP = 10


_fetched: Deque[str] = deque(maxlen=4)


def take_fetched(here: Any) -> None:
    """Frames that have arrived since: where they are."""
    while here.follower.fetched:
        _fetched.append(here.follower.fetched.popleft()[2])


def state(here: Any) -> Any:
    """What the list looks like."""
    return [
        (job.id, job.status, job.done, job.total, job.failed, job.priority, job.newest, job.preview)
        for job in here.follower.view.jobs
    ] + list(_fetched)


def jobs(place: str, here: Any) -> None:
    """One frame for each job."""
    widgets.line(place, tr("My jobs on the farm"))
    if not here.follower.view.jobs:
        widgets.line(place, tr("None yet."))
    for job in here.follower.view.jobs:
        _job(place, job, here)
    for path in _fetched:
        widgets.line(place, path)


def _job(place: str, job: JobView, here: Any) -> None:
    inner = widgets.frame(place, "OutfieldJob_" + job.id, "{} {}".format(job.id, shown(job.name)))
    widgets.picture(inner, job.preview)
    widgets.bar(inner, job.fraction)
    widgets.line(inner, job_words(job))
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
