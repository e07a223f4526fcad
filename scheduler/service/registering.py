"""Workers come, drain, are enabled again, are lost and return."""

from __future__ import annotations

import secrets

from scheduler.domain.states import WORKER_TRANSITIONS, WorkerEvent, WorkerStatus, may, step
from scheduler.errors import Conflict, NotFound, Refused
from scheduler.protocol import PROTOCOL_VERSION
from scheduler.protocol.workers import Capabilities, WorkerHello, WorkerWelcome
from scheduler.routing.machines import Machine
from scheduler.service.certifying import certify, check_request
from scheduler.service.farm import Farm
from scheduler.service.identity import Identity, Role, redeem_join_code
from scheduler.service.ledger import Ledger
from scheduler.service.linking import link_instance
from scheduler.service.live import LiveWorker
from scheduler.service.preparing import pools_or_refuse
from scheduler.service.rating import rating_of
from scheduler.store.tables import Token, Worker
from scheduler.store.transaction import Transaction


async def register_worker(farm: Farm, identity: Identity, hello: WorkerHello) -> WorkerWelcome:
    """Use up the join code and make the worker known.

    Raises:
        Denied: the join code is not valid, or not for this pool or instance.
        Refused: another protocol, or a pool that this farm does not have.
    """
    _check(farm, hello)
    worker_id = f"w{secrets.token_hex(5)}"
    rating = rating_of(hello.capabilities.details)

    def change(tx: Transaction, ledger: Ledger) -> tuple[Token, str]:
        code = redeem_join_code(tx, hello.join, ledger.now_s)
        place = link_instance(tx, code, hello, worker_id)
        tx.session.add(
            Worker(
                id=worker_id,
                name=hello.name,
                pool=hello.pool,
                status=WorkerStatus.ACTIVE,
                slots=hello.slots,
                owner=code.owner,
                rating=rating,
                rated_at=ledger.now_s if rating is not None else None,
                capabilities=hello.capabilities.model_dump(),
                registered_at=ledger.now_s,
                last_seen=ledger.now_s,
                instance=place.instance,
                intent=place.intent,
            )
        )
        ledger.event(tx, "worker.joined", worker=worker_id, name=hello.name, pool=hello.pool)
        return identity.mint(tx, f"worker {hello.name}", Role.WORKER, worker=worker_id)

    row, text = await farm.change(change)
    identity.remember(row)
    live = LiveWorker(
        id=worker_id,
        name=hello.name,
        pool=hello.pool,
        machine=machine_of(worker_id, hello.capabilities, pool_tags(farm, hello.pool)),
        slots=hello.slots,
        status=WorkerStatus.ACTIVE,
        drain=False,
        last_seen_s=farm.clock.monotonic(),
        rating=rating,
    )
    farm.live.workers[worker_id] = live
    farm.live.replan.set()
    rhythm = farm.rhythm
    return WorkerWelcome(
        worker=worker_id,
        token=text,
        lease_s=rhythm.lease_s,
        renew_s=rhythm.renew_s,
        grace_s=rhythm.grace_s,
        farm=farm.settings.farm.name,
        certificate=certify(farm, worker_id, hello.csr) if hello.csr and farm.authority else None,
    )


def _check(farm: Farm, hello: WorkerHello) -> None:
    """Whether such a worker can join here at all.

    Raises:
        Refused: another protocol, a pool that this farm does not have or that is another farm, a bad signing request.
    """
    if hello.protocol != PROTOCOL_VERSION:
        raise Refused(
            f"The worker speaks protocol {hello.protocol}, this scheduler {PROTOCOL_VERSION}.",
            code="protocol_mismatch",
            hint="Install the same release of Outfield on both.",
        )
    pools_or_refuse([hello.pool], farm.settings)
    if hello.pool in farm.sites.sites:
        raise Refused(
            f"The pool {hello.pool!r} is another farm; workers join that farm itself.",
            code="pool_is_site",
            hint="Start the worker with another --pool, or with the other farm's --server.",
        )
    check_request(farm, hello.csr)


def pool_tags(farm: Farm, pool: str) -> tuple[str, ...]:
    """The tags that every worker of a pool has."""
    settings = farm.settings.pools.get(pool)
    return settings.tags if settings is not None else ()


def machine_of(worker_id: str, capabilities: Capabilities, pool_tags: tuple[str, ...] = ()) -> Machine:
    """A worker's capabilities as routing sees them, with its pool's tags."""
    return Machine(
        worker_id,
        capabilities.vcpus,
        capabilities.memory_gib,
        capabilities.gpus,
        frozenset({*capabilities.tags, *pool_tags}),
        {name: tuple(versions) for name, versions in capabilities.renderers.items()},
    )


async def drain_worker(farm: Farm, worker_id: str) -> None:
    """The worker finishes what it has and takes nothing new.

    Raises:
        NotFound: there is no such worker.
    """
    await _set_drain(farm, worker_id, drain=True)


async def enable_worker(farm: Farm, worker_id: str) -> None:
    """The worker takes work again; also ends its probation.

    Raises:
        NotFound: there is no such worker.
    """
    await _set_drain(farm, worker_id, drain=False)


async def _set_drain(farm: Farm, worker_id: str, *, drain: bool) -> None:
    worker = farm.live.workers.get(worker_id)
    if worker is None:
        raise NotFound(f"There is no worker {worker_id!r}.", code="worker_unknown")
    event = WorkerEvent.DRAIN if drain else WorkerEvent.ENABLE

    def change(tx: Transaction, ledger: Ledger) -> None:
        row = tx.session.get(Worker, worker_id)
        if row is None:
            raise NotFound(f"There is no worker {worker_id!r}.", code="worker_unknown")
        row.drain = drain
        tx.session.flush()
        if may(WORKER_TRANSITIONS, WorkerStatus(row.status), event):
            worker_event(tx, ledger, worker_id, event)

    await farm.change(change)
    worker.drain = drain
    farm.live.replan.set()
    farm.live.wake(worker_id)


def leave_or_stay(tx: Transaction, ledger: Ledger, worker: LiveWorker) -> None:
    """The worker says that it is about to go for good and why, or that it is here after all."""
    if worker.leaving:
        ledger.event(tx, "worker.leaving", worker=worker.id, name=worker.name, pool=worker.pool, reason=worker.leaving)
    event = WorkerEvent.DRAIN if worker.leaving else WorkerEvent.ENABLE
    stays_drained = worker.drain and not worker.leaving
    if not stays_drained and may(WORKER_TRANSITIONS, worker.status, event):
        worker_event(tx, ledger, worker.id, event)


def worker_event(tx: Transaction, ledger: Ledger, worker_id: str, event: WorkerEvent) -> WorkerStatus:
    """One transition of a worker, with its event.

    Raises:
        Conflict: the worker is gone.
    """
    row = tx.session.get(Worker, worker_id)
    if row is None:
        raise Conflict(f"The worker {worker_id!r} is gone.", code="worker_unknown")
    before = WorkerStatus(row.status)
    after = step(WORKER_TRANSITIONS, before, event, story=worker_id)
    row.status = after.value
    if event in (WorkerEvent.ENABLE, WorkerEvent.REDEEM):
        row.fast_failures, row.probations, row.canary_at = 0, 0, None
    ledger.workers_moved[worker_id] = (after, row.canary_at, row.fast_failures > 0)
    ledger.replan = True
    ledger.event(tx, "worker.status", worker=worker_id, name=row.name, old=before.value, new=after.value)
    return after
