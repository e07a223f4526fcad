"""A worker's stay on a machine that it does not own: the notice to quit, the term, the sign of life, and what is left.

The supervisor asks `tick` as time passes, hands over notices, and follows `leaving` and `end_by`. On the studio's own
machines, where none of this is set, it does nothing.
"""

from __future__ import annotations

import math
import threading

from worker.agent import Agent
from worker.cloud.notices import Notice, end_of_life
from worker.cloud.pulse import Pulse, write_pulse
from worker.parts import Parts
from worker.settings import WorkerSettings
from worker.spool import Spool
from worker.telemetry import logger
from worker.wiping import Wiper

PULSE_EVERY_S = 2.0
"""How often a cloud worker gives its sign of life."""

WIPE_EVERY_S = 2.0
"""How often it is looked whether content of a job must go."""

MACHINES = frozenset({"gce", "aws"})
"""Clouds where the worker's life is the machine's; in a batch system it begins with the worker."""

_log = logger("tenancy")


class Tenancy:
    """One worker's. `end_by`: when the worker must have gone, None while nobody says so. Used by the main loop."""

    def __init__(self, settings: WorkerSettings, parts: Parts, agent: Agent) -> None:
        self._settings, self._parts, self._agent = settings, parts, agent
        uptime_s = parts.clock.uptime()
        self._born_s = 0.0 if settings.cloud in MACHINES else uptime_s
        self._contact_s = self._busy_s = uptime_s
        self._pulse_at = float("-inf")
        self._heard: set[str] = set()
        self._last_call: float | None = None
        self.end_by: float | None = None

    @property
    def leaving(self) -> bool:
        """Is the worker about to go?"""
        return bool(self._heard)

    @property
    def hurried(self) -> bool:
        """Has the worker got a time to be gone by? It uses it to the last: a spool on a lost disk helps nobody."""
        return self._last_call is not None

    def heed(self, notice: Notice) -> None:
        """The machine will be taken away: end what can be ended, save what can be saved, give the rest back, go."""
        if notice.words not in self._heard:
            _log.warning("noticed", reason=notice.words, urgent=notice.urgent)
        self._heard.add(notice.words)
        if not notice.urgent:
            self._agent.leave(notice.grace_s, notice.words)
            return
        finish_s, stop_s = self._settings.notice_finish_s, self._settings.stop_s
        self._agent.leave(finish_s, notice.words)
        last_call = self._parts.clock.monotonic() + max(self._settings.notice_leave_s - stop_s, finish_s)
        self._last_call = last_call if self._last_call is None else min(self._last_call, last_call)

    def tick(self, now: float) -> None:
        """Time has passed: is the term over, or a notice's time? Then everything goes back as it is."""
        self._mind_term()
        if self._last_call is not None and now >= self._last_call:
            self._agent.stop()
            self._last_call, self.end_by = math.inf, now + self._settings.stop_s
        if self._settings.cloud != "none" and now >= self._pulse_at:
            self._pulse_at = now + PULSE_EVERY_S
            self._give_sign()

    def _mind_term(self) -> None:
        settings = self._settings
        notice = end_of_life(
            self._parts.clock.uptime() - self._born_s,
            settings.life_s,
            lead_s=settings.life_lead_s,
            margin_s=settings.life_margin_s,
            task_s=self._agent.state.last_task_s,
        )
        if notice is not None and notice.words not in self._heard:
            self.heed(notice)

    def _give_sign(self) -> None:
        uptime_s = self._parts.clock.uptime()
        self._contact_s = uptime_s if self._agent.online else self._contact_s
        self._busy_s = uptime_s if self._agent.state.held else self._busy_s
        try:
            write_pulse(self._settings.data, Pulse(uptime_s, self._contact_s, self._busy_s))
        except OSError as error:  # a disk that stays full ends the machine in time
            _log.warning("no_pulse", reason=str(error))


def wipe_loop(wiper: Wiper, parts: Parts, agent: Agent, spool: Spool, closing: threading.Event) -> None:
    """A thread: what nobody will need is removed while the worker works on. Removing a large scene may take long."""
    while not closing.wait(WIPE_EVERY_S):
        jobs = {held.lease.job for held in agent.state.held.values()}
        wipe = wiper.look(jobs, parts.clock.monotonic())
        if not wipe.jobs:
            continue
        for job in wipe.jobs:
            parts.registry.forget(job)
        left = parts.cache.folder.wipe(wipe.resources)
        wiper.gone(wipe, left)
        parts.journal.compact()
        spool.scrub()
        _log.info("wiped", jobs=list(wipe.jobs), resources=len(wipe.resources) - len(left))
