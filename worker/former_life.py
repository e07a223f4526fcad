"""What a worker takes up of its former life: work that was kept is delivered, what was left unfinished is reported."""

from __future__ import annotations

from scheduler.protocol.work import Report
from worker import transitions
from worker.agent import Agent
from worker.journal import Leftover
from worker.logs import LogShipper
from worker.spool import Finished
from worker.state import ref_of
from worker.telemetry import logger
from worker.uploads import Deliveries
from worker.verdicts import failure, returned

_log = logger("agent")


def take_up(
    agent: Agent, deliveries: Deliveries, logs: LogShipper, *, kept: list[Finished], leftovers: list[Leftover]
) -> None:
    """Deliver what the spool has `kept`, and report the `leftovers` of the journal. Before any thread starts."""
    spooled = {each.ref for each in kept}
    for each in kept:
        logs.restore(each.ref, each.lease.secret, each.log_offset, each.log)
        agent.apply(lambda state, now, lease=each.lease: transitions.on_adopted(state, lease, now))
    deliveries.submit(*kept)
    for left in leftovers:
        if ref_of(left.lease) not in spooled:
            report = _epitaph(left)
            agent.apply(
                lambda state, now, lease=left.lease, report=report: transitions.on_given_up(state, lease, report, now)
            )
    if kept or leftovers:
        _log.info("former_life", spooled=len(kept), unfinished=len(leftovers))


def _epitaph(left: Leftover) -> Report:
    """What became of a lease of the former life. A task that may have brought the worker down is a loss that counts."""
    if not left.started:
        return returned(left.lease, "preempted", "Handed back: the worker was restarted before the task began.")
    return failure(left.lease, "lost", "The worker died or was killed while the task ran, and was started again.")
