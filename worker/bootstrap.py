"""The only wiring of the worker: from settings to a running agent.

`run` is what `outfield worker` calls. It prepares the process (environment, signals, data folder), joins the farm or
takes up the former life, and hands over to the supervisor.
"""

from __future__ import annotations

import queue
import random
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from scheduler.protocol.workers import WorkerHello
from worker import identity as identities
from worker.agent import Agent
from worker.answers import CallFailed, Unreachable
from worker.archive import extract
from worker.backoff import Backoff
from worker.cache import ResourceCache
from worker.client import SchedulerClient
from worker.clock import Clock, SystemClock
from worker.cloud.notices import SIGNALLED, Notice
from worker.credentials import Renewal, WrongPin, save_certificate
from worker.former_life import take_up
from worker.hands import Hands
from worker.identity import Identity, NotJoined
from worker.journal import Journal
from worker.locks import DataFolderBusy, lock_data_folder
from worker.logs import LogLimits, LogShipper
from worker.parts import Command, Inbox, Parts
from worker.pictures import PictureBoard
from worker.probe import probe
from worker.runners.registry import RunnerRegistry, UnknownRenderer
from worker.scratch import Scratch
from worker.session import Session
from worker.settings import WorkerSettings, prepare_environment
from worker.slots import Bench, Slot
from worker.spool import Spool
from worker.state import AgentState, Limits
from worker.supervisor import EXIT_BROKEN, EXIT_DENIED, EXIT_OK, Staff, Supervisor
from worker.telemetry import ProgressBoard, configure_logging, logger
from worker.uploads import Deliveries
from worker.wiping import Wiper

_log = logger("bootstrap")


def run(settings: WorkerSettings) -> int:
    """Run one worker until it is told to go.

    The first SIGTERM or SIGINT drains, the second hands everything back and ends at once. Must be called in the main
    thread, before anything imports numba.

    Returns:
        0 after an orderly end, 1 when something broke, 4 when the scheduler does not let the worker in.
    """
    configure_logging()
    prepare_environment(settings)
    inbox: Inbox = queue.SimpleQueue()
    install_signals(inbox, child=settings.parent_pid > 0, batch=settings.cloud == "slurm")
    try:
        lock_data_folder(settings.data, settings.lock_wait_s)
        return work(settings, inbox, clock=SystemClock())
    except (DataFolderBusy, UnknownRenderer) as error:
        _log.error("cannot_start", reason=str(error))
        return EXIT_BROKEN
    except NotJoined as error:
        _log.error("not_joined", reason=str(error))
        return EXIT_DENIED


@dataclass(frozen=True)
class Basis:
    """What is there before the worker has a name."""

    settings: WorkerSettings
    inbox: Inbox
    clock: Clock
    rng: random.Random
    registry: RunnerRegistry
    spool: Spool
    client: SchedulerClient
    hello: WorkerHello


def work(settings: WorkerSettings, inbox: Inbox, *, clock: Clock, registry: RunnerRegistry | None = None) -> int:
    """Join and work, until a command in `inbox` ends it; returns the exit code.

    Raises:
        NotJoined: the scheduler does not let the worker in; the message says what to do.
    """
    registry = registry or RunnerRegistry(settings.renderers)
    spool = Spool(settings.data / "spool", rows_max=settings.spool_rows_max, bytes_max=settings.spool_max_bytes)
    hello = identities.introduction(settings, probe(registry, settings.data, settings.tags))
    basis = Basis(settings, inbox, clock, random.Random(), registry, spool, SchedulerClient(settings), hello)
    identity = identify(basis)
    if identity is None:
        return EXIT_OK
    basis.client.connections.token = identity.token
    Renewal(settings, basis.client, identity.worker, clock.now).begin()
    supervisor = assemble(basis, identity)
    _warm_up(supervisor, basis)
    _log.info("ready", worker=identity.worker, farm=identity.farm, slots=settings.slots, pool=settings.pool)
    return supervisor.run()


def identify(basis: Basis) -> Identity | None:
    """The identity of the former life, or a new one; waits for a scheduler that is not up yet.

    Returns None when a signal came first. Raises NotJoined, see there.
    """
    settings = basis.settings
    known = identities.load_identity(settings.data)
    if known and identities.may_keep(known, settings, basis.hello, spool_empty=not basis.spool.all()):
        return known
    backoff = Backoff(settings.backoff_base_s, settings.backoff_cap_s, basis.rng)
    while True:
        try:
            return join(basis)
        except Unreachable as error:
            delay_s = backoff.next_s(error.retry_after_s)
            _log.info("join_waits", reason=error.message, retry_s=round(delay_s, 2))
        with suppress(queue.Empty):
            command = basis.inbox.get(timeout=delay_s)
            if command is Command.LEAVE or isinstance(command, Notice):
                return None


def join(basis: Basis) -> Identity:
    """Trade the join code for an identity, and keep it.

    Raises:
        NotJoined: there is no code, it is not accepted, or this is not the scheduler that was meant.
        Unreachable: the scheduler does not answer.
    """
    settings = basis.settings
    if not settings.join:
        raise NotJoined(identities.no_code_message(settings))
    try:
        basis.client.connections.learn_authority()
        welcome = basis.client.join(basis.hello)
    except Unreachable:
        raise
    except WrongPin as error:
        raise NotJoined(str(error)) from error
    except CallFailed as error:
        raise NotJoined(f"{error.message} {identities.no_code_message(settings)}") from error
    identity = identities.identity_from(settings, basis.hello, welcome)
    identities.save_identity(settings.data, identity)
    if welcome.certificate is not None:
        save_certificate(settings.data, welcome.certificate)
        basis.client.show()
    _log.info("joined", worker=identity.worker, farm=identity.farm)
    return identity


def assemble(basis: Basis, identity: Identity) -> Supervisor:
    """Wire the parts of a worker that has a name. Nothing runs yet, but the former life's work is queued."""
    settings, clock, client = basis.settings, basis.clock, basis.client
    scratch = Scratch(settings.data)
    journal = Journal(settings.data)
    scratch.sweep()
    logs = LogShipper(client, LogLimits.of(settings))
    cache = ResourceCache(
        settings.cache / "resources", bytes_max=settings.cache_max_bytes, download=client.transfers.get, extract=extract
    )
    wiper = Wiper(settings.wipe_after_s) if settings.wipe_after_s else None
    parts = Parts(clock, basis.inbox, scratch, journal, basis.registry, cache, logs, ProgressBoard(), wiper)
    agent = Agent(parts, AgentState(limits_of(settings)), identity.worker)
    threads = max(1, basis.hello.capabilities.vcpus // settings.slots)
    pictures = PictureBoard(settings, client, clock)
    bench = Bench(basis.registry, cache, scratch, logs, parts.progress, pictures, clock, threads)
    slots = {number: Slot(number, bench, agent) for number in range(settings.slots)}
    deliveries = Deliveries(settings, agent, client=client, spool=basis.spool, logs=logs, clock=clock, rng=basis.rng)
    agent.attach(Hands(parts, slots, deliveries))
    take_up(agent, deliveries, logs, kept=basis.spool.all(), leftovers=journal.leftovers())
    session = Session(settings, agent, client=client, clock=clock, rng=basis.rng, next_sync_s=identity.renew_s)
    staff = Staff(agent, session, deliveries, slots, basis.spool, client, pictures, rejoin=lambda: join(basis))
    return Supervisor(settings, parts, staff)


def limits_of(settings: WorkerSettings) -> Limits:
    """The settings that decisions depend on."""
    return Limits(
        slots=settings.slots,
        prefetch=settings.prefetch,
        prefetch_task_s_max=settings.prefetch_task_s_max,
        prefetch_hold_s=settings.prefetch_hold_s,
        fence_margin_s=settings.fence_margin_s,
        stuck_s=settings.stuck_s,
        save_s=settings.save_s,
        backlog_max=settings.upload_backlog_max,
    )


def install_signals(inbox: Inbox, *, child: bool, batch: bool = False) -> None:
    """SIGTERM and SIGINT become commands. A child leaves Ctrl-C to its parent, which then sends SIGTERM.

    In a `batch` system both SIGTERM and the warning SIGUSR1 say that the job is about to be killed.
    """

    def leave(_number: int, _frame: object) -> None:
        inbox.put(Command.LEAVE)  # SimpleQueue.put is safe inside a signal handler; locks are not

    def heed(_number: int, _frame: object) -> None:
        inbox.put(SIGNALLED)

    if batch:
        signal.signal(signal.SIGUSR1, heed)
    signal.signal(signal.SIGTERM, heed if batch else leave)
    signal.signal(signal.SIGINT, _left_to_parent if child else leave)


def _left_to_parent(_number: int, _frame: object) -> None:
    """Not SIG_IGN, which renderers would inherit."""


def _warm_up(supervisor: Supervisor, basis: Basis) -> None:
    """Compile and load kernels while the worker already asks for work; a task that comes first just waits for them."""
    for name in basis.hello.capabilities.renderers:
        warm_up = getattr(basis.registry.get(name), "warm_up", None)
        if warm_up is not None:
            supervisor.spawn(f"warm-{name}", _logged(name, warm_up))


def _logged(name: str, warm_up: Callable[[], object]) -> Callable[[], None]:
    def loop() -> None:
        try:
            warm_up()
            _log.info("warm", renderer=name)
        except Exception:  # noqa: BLE001 - its tasks will say what is wrong; other renderers must not suffer
            _log.exception("warm_up_failed", renderer=name)

    return loop
