# SPDX-License-Identifier: Apache-2.0
"""The call for pipelines: one submission from its beginning to the farm, without a panel and without a timer."""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, Optional

from .assembly import Assembly
from .errors import FarmError, Refused
from .facts import errors
from .sending import Outcome, Watch, flush
from .session import Session
from .spool import Kept

FINISH_S = 30.0
"""How long is waited for the session's own thread, when that is sending already."""

PAUSE_S = 0.05
"""Between looks at what goes on elsewhere."""


class Submitted:
    """What became of one job: on the farm (`job_id`), or kept on this machine (`spooled`)."""

    def __init__(self, kept: Kept, job: Optional[Dict[str, Any]] = None, error: Optional[FarmError] = None) -> None:
        self.key, self.name, self.job, self.error = kept.key, kept.name, job, error

    @property
    def job_id(self) -> Optional[str]:
        """The farm's number of the job, None while it is kept here."""
        return str(self.job["jobID"]) if self.job is not None else None

    @property
    def spooled(self) -> bool:
        """Is it still on this machine?"""
        return self.job is None

    def __repr__(self) -> str:
        return "outfield spooled " + self.key if self.job is None else "outfield jobID {}".format(self.job_id)


def submit(assembly: Assembly) -> List[Submitted]:
    """Take all its steps at once, and wait until the farm has it, or until it is kept because the farm is away.

    Raises:
        FarmError: something stands in the way; nothing was submitted.
    """
    for _ in assembly.gather():
        pass
    stopping = errors(assembly.inspect())
    if stopping:
        raise Refused(" ".join(finding.sentence for finding in stopping), code=stopping[0].code)
    while not assembly.save_copy():
        time.sleep(PAUSE_S)
    return deliver(assembly.here, assembly.commit())


def deliver(here: Session, kept: List[Kept]) -> List[Submitted]:
    """Send all that is kept for this farm, these last."""
    made = {each.key: Submitted(each) for each in kept}
    client = here.client()
    if client is not None and client.server == kept[0].server:
        for outcome in flush(here.spool, client, here.cache, lambda _: Watch()):
            _take(made, outcome)
        wait_for_the_thread(here, made)
    return list(made.values())


def _take(made: Dict[str, Submitted], outcome: Outcome) -> None:
    mine = made.get(outcome.kept.key)
    if mine is None:
        if outcome.job is not None:
            text = "outfield jobID {} ({}), kept since the farm was away"
            print(text.format(outcome.job["jobID"], outcome.kept.name))
        return
    mine.job, mine.error = outcome.job, outcome.error
    if outcome.error is not None and not os.path.isdir(outcome.kept.folder):
        raise outcome.error  # refused: it will never be sent


def wait_for_the_thread(here: Session, made: Dict[str, Submitted]) -> None:
    """The session's own thread may have taken one of these before `flush` came to it."""
    waited_s = 0.0
    while here.sender.busy and waited_s < FINISH_S and any(each.spooled and not each.error for each in made.values()):
        for outcome in list(here.sender.outcomes):
            if outcome.kept.key in made and outcome.job is not None:
                made[outcome.kept.key].job = outcome.job
        time.sleep(PAUSE_S)
        waited_s += PAUSE_S
