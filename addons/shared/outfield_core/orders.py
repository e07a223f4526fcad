# SPDX-License-Identifier: Apache-2.0
"""What an artist can order of a job in the list, in words and calls."""

from __future__ import annotations

from typing import Any, Callable, List, Tuple

from .client import quoted
from .following import JobView
from .session import Session

PRIORITY_STEP = 10

LABELS = {
    "open": "Fetch the frame",
    "page": "Show the job in the browser",
    "retry": "Try the failed tasks again",
    "pause": "Hold",
    "resume": "Let the job go on",
    "sooner": "Sooner",
    "cancel": "Cancel the job; frames that are there stay",
}


def orders(job: JobView, here: Session, browse: Callable[[str], Any]) -> List[Tuple[str, Callable[[], Any]]]:
    """What can be done about a job now: a label and a call for each. `browse` opens an address."""
    follower = here.follower
    found: List[Tuple[str, Callable[[], Any]]] = [(LABELS["page"], lambda: _page(job, here, browse))]
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


def _page(job: JobView, here: Session, browse: Callable[[str], Any]) -> None:
    client = here.client()
    if client is not None:
        browse("{}/#/jobs/{}".format(client.server, quoted(job.id)))
