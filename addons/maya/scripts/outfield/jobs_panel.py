# SPDX-License-Identifier: Apache-2.0
"""The artist's jobs below the panel: progress, newest picture, and what can be done about each."""

from __future__ import annotations

from collections import deque
from typing import Any, Deque

from maya import cmds

from . import widgets
from .outfield_core.following import JobView
from .outfield_core.hashing import shown
from .outfield_core.orders import orders
from .outfield_core.outlook import job_words
from .outfield_core.texts import tr

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
    widgets.buttons(inner, [(tr(label), order) for label, order in orders(job, here, _browse)])


def _browse(url: str) -> None:
    cmds.launch(webPage=url)
