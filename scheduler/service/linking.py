"""Which worker runs on which rented instance: told by the worker when it joins, believed by its join code alone."""

from __future__ import annotations

from typing import NamedTuple

from sqlmodel import col, select

from scheduler.domain.instance_states import TERMINAL_INTENTS, InstanceStatus
from scheduler.errors import Denied
from scheduler.protocol.workers import WorkerHello
from scheduler.store.instances import CloudInstance, LaunchIntent
from scheduler.store.renting import find_instance
from scheduler.store.tables import Token, Worker
from scheduler.store.transaction import Transaction

LEAVING = frozenset({InstanceStatus.DRAINING, InstanceStatus.ENDING, InstanceStatus.GONE})


class Place(NamedTuple):
    """The rented machine that a worker runs on; both empty: none."""

    instance: str = ""
    intent: str = ""


def link_instance(tx: Transaction, code: Token, hello: WorkerHello, worker: str) -> Place:
    """Where the worker that redeems this code runs. The instance may not be in the record yet: then it is linked when
    it comes into it (`link_worker`).

    Raises:
        Denied: the code is another pool's or intent's, or the instance is on its way out.
    """
    if code.intent is None:
        return Place()
    if hello.pool != code.pool or (hello.intent and hello.intent != code.intent):
        raise Denied(
            "This join code belongs to another pool or launch.",
            code="join_code_invalid",
            hint="Let the instance run its own start-up script, unchanged.",
        )
    row = find_instance(tx.session, hello.pool, intent=code.intent, instance=hello.instance)
    order = tx.session.get(LaunchIntent, code.intent)
    if order is None or order.status in TERMINAL_INTENTS or (row is not None and row.status in LEAVING):
        raise Denied(
            "This instance is being ended.", code="instance_ending", hint="Nothing to do: it takes no work any more."
        )
    if row is not None:
        row.worker = worker
    return Place(row.id if row is not None else hello.instance, code.intent)


def link_worker(tx: Transaction, row: CloudInstance) -> None:
    """The worker of an instance that has just come into the record, if it has joined before."""
    worker = _joined(tx, row)
    if worker is not None:
        row.worker, worker.instance = worker.id, row.id


def _joined(tx: Transaction, row: CloudInstance) -> Worker | None:
    mine = select(Worker).where(Worker.intent == row.intent, Worker.pool == row.pool)
    named = mine.where(Worker.instance == row.id).order_by(col(Worker.registered_at).desc())
    found = tx.session.exec(named).first()
    order = tx.session.get(LaunchIntent, row.intent)
    if found is None and order is not None and order.count == 1:
        found = tx.session.exec(mine.where(Worker.instance == "")).first()
    return found
