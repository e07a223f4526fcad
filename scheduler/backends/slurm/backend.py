"""The port's six calls for a Slurm cluster. What is there stands in Slurm; kept here is what was told and submitted."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.backends.base import (
    LABEL_FARM,
    LABEL_INTENT,
    LABEL_POOL,
    Instance,
    InstanceState,
    LaunchOrder,
    LaunchPlan,
    Notice,
    NoticeKind,
    Offer,
)
from scheduler.backends.slurm.notices import notice_of
from scheduler.backends.slurm.programs import Programs
from scheduler.backends.slurm.queue import ArrayTask, read_queue
from scheduler.backends.slurm.submission import limit_min, resource_options, submission
from scheduler.clock import Clock, SystemClock
from scheduler.settings import SlurmPool

DEFAULT_PARTITION = "the cluster's default partition"


class SlurmBackend:
    """The workers of one pool as array jobs of one cluster.

    An intent is one array job; it is looked up before it is submitted, among the jobs that Slurm remembers: those that
    wait or run, and those that ended within its MinJobAge (5 minutes unless set).
    """

    def __init__(self, pool: str, settings: SlurmPool, farm_id: str, *, programs: Programs, clock: Clock) -> None:
        self._pool, self._settings = pool, settings
        self._programs, self._clock = programs, clock
        self._labels = {LABEL_FARM: farm_id, LABEL_POOL: pool}
        self._pending: list[Notice] = []
        self._told: set[Notice] = set()
        self._submitted: set[str] = set()

    def offers(self) -> Sequence[Offer]:
        partition = self._settings.partition or ""
        return [Offer.of(self._settings, partition or "slurm", partition)]

    def plan(self, count: int) -> LaunchPlan:
        settings, count = self._settings, min(count, self._settings.array_max)
        where = f"partition {settings.partition}" if settings.partition else DEFAULT_PARTITION
        limits = f"for {limit_min(settings.life_s, settings)} minutes at the most"
        lines = (
            f"submit an array job of {count} workers to {where} of Slurm",
            f"each with {' '.join(resource_options(settings))}",
            f"each {limits}, started within {settings.queue_s / 60:.0f} minutes or not at all",
        )
        return LaunchPlan(count, count * settings.price_usd_per_hour, lines)

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        known = [task for task in self._look() if task.labels.get(LABEL_INTENT) == order.intent]
        if known or order.intent in self._submitted:
            return [_instance(task) for task in known]
        made = submission(order, self._settings, self._pool, self._labels | {LABEL_INTENT: order.intent})
        job = self._programs.submit(made.options, made.script)
        self._submitted.add(order.intent)
        if made.count < order.count:
            fewer = f"{made.count} of {order.count} workers were submitted: one array job holds no more (array_max)."
            self._pending.append(Notice(NoticeKind.STOCK_OUT, order.intent, "", fewer))
        now_s = self._clock.now().timestamp()
        return [
            Instance(f"{job}_{index}", order.intent, InstanceState.STARTING, now_s, self._settings.partition or "slurm")
            for index in range(made.count)
        ]

    def list(self) -> Sequence[Instance]:
        return [_instance(task) for task in self._look()]

    def terminate(self, instances: Sequence[str]) -> None:
        wanted = set(instances)
        # Job numbers begin anew some day: only what carries our labels is ever cancelled.
        alive = [task.id for task in self._look() if task.id in wanted and task.state is not InstanceState.GONE]
        if alive:
            self._programs.cancel(alive)

    def events(self) -> Sequence[Notice]:
        """What Slurm shows of what happened. After a restart of the scheduler, what it still remembers is told again.

        Raises:
            Unavailable: the controller does not answer.
        """
        seen = {notice for task in self._look() if (notice := notice_of(task))}
        fresh = [*self._pending, *sorted(seen - self._told, key=lambda notice: (notice.instance, notice.message))]
        self._pending, self._told = [], seen
        return fresh

    def _look(self) -> list[ArrayTask]:
        return read_queue(self._programs.queue(), self._labels)


def make_backend(pool: str, settings: SlurmPool, farm_id: str) -> SlurmBackend:
    """The backend of a pool with `backend = "slurm"`."""
    return SlurmBackend(pool, settings, farm_id, programs=Programs(settings), clock=SystemClock())


def _instance(task: ArrayTask) -> Instance:
    return Instance(
        id=task.id,
        intent=task.labels.get(LABEL_INTENT, ""),
        state=task.state,
        launched_at_s=task.submitted_at_s,
        machine=task.partition,
        place=task.partition,
        address=task.node,
    )
