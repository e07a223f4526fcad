"""The port's six calls for hosts of an OpenCue farm. The hosts know what runs; kept here is what they said last."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

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
    StockOut,
    Unknown,
)
from scheduler.backends.opencue.frames import CORE, KIB_PER_GIB, run_frame
from scheduler.backends.opencue.reports import End, Receiver, receiver_at
from scheduler.backends.opencue.rqd import HostView, Launched, Rqd, Running
from scheduler.clock import Clock, SystemClock
from scheduler.errors import Unavailable
from scheduler.settings import OpencuePool

NIMBY_KILL = 286
"""The exit status by which RQD reports that somebody sat down at the machine."""


@dataclass
class Known:
    """A frame of ours: on which host and since when, when its host last spoke of it, whether it was told to end."""

    host: str
    running: Running
    launched_at_s: float
    seen_at_s: float
    told: bool = False

    @property
    def intent(self) -> str:
        """The order that it belongs to."""
        return self.running.labels.get(LABEL_INTENT, "")


class OpencueBackend:
    """The workers of one pool as frames on its hosts."""

    def __init__(self, pool: str, settings: OpencuePool, farm_id: str, *, receiver: Receiver, clock: Clock) -> None:
        self._settings, self._clock, self._receiver = settings, clock, receiver
        self._labels = {LABEL_FARM: farm_id, LABEL_POOL: pool}
        self._rqd = Rqd(settings)
        self._known: dict[str, Known] = {}
        self._gone: dict[str, Known] = {}
        self._launched: set[str] = set()
        self._pending: list[Notice] = []

    def offers(self) -> Sequence[Offer]:
        return [Offer.of(self._settings, "rqd")]

    def plan(self, count: int) -> LaunchPlan:
        settings = self._settings
        each = f"{settings.vcpus} cores, {settings.memory_gib:g} GiB and {settings.gpus} GPUs"
        lines = (
            f"start {count} frames of {each} by RQD, on whichever is free of {', '.join(settings.hosts)}",
            f"each for {settings.life_s / 60:.0f} minutes at the most",
        )
        return LaunchPlan(count, count * settings.price_usd_per_hour, lines)

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        hosts = self._look()
        known = [self._instance(id_) for id_, each in self._known.items() if each.intent == order.intent]
        if known or order.intent in self._launched:
            return known
        started, unsure, words = self._fill(order, [host for host in hosts if host.takes_work])
        if started or unsure:
            self._launched.add(order.intent)
        if unsure:
            raise Unknown(f"Nobody knows whether RQD took every frame: {words}")
        fewer = f"{len(started)} of {order.count} workers found room: {words or 'no host has enough left'}."
        if not started:
            raise StockOut(fewer, hint="Add `hosts`, ask for less in `vcpus` and `memory_gib`, or wait.")
        if len(started) < order.count:
            self._pending.append(Notice(NoticeKind.STOCK_OUT, order.intent, "", fewer))
        return started

    def list(self) -> Sequence[Instance]:
        self._look()
        return [self._instance(id_) for id_ in self._known]

    def terminate(self, instances: Sequence[str]) -> None:
        self._look()
        silent: list[str] = []
        for id_ in set(instances) & set(self._known):
            known = self._known[id_]
            known.told = True
            try:
                self._rqd.kill(known.host, known.running.frame)
            except Unavailable as error:
                silent.append(error.message)
        if silent:
            raise Unavailable("; ".join(silent)[:300])

    def events(self) -> Sequence[Notice]:
        """What became of the frames since the last call.

        Raises:
            Unavailable: no host answers.
        """
        self._look()
        told, self._pending = self._pending, []
        return told

    # ---- Looking ---------------------------------------------------------------------------------------------------

    def _look(self) -> Sequence[HostView]:
        """Ask every host. What a silent one ran counts as running for `lost_s`; if all are silent, nobody knows."""
        views = self._rqd.look_at_all(self._settings.hosts)
        now_s = self._clock.now().timestamp()
        here = {f"{view.name}/{each.frame}": (view.name, each) for view in views for each in view.frames}
        mine = {id_: found for id_, found in here.items() if self._labels.items() <= found[1].labels.items()}
        for id_, (host, running) in mine.items():
            known = self._known.setdefault(id_, Known(host, running, now_s, now_s))
            known.running, known.seen_at_s = running, now_s
            if known.told:  # RQD passes over a kill that comes before the process has started
                with suppress(Unavailable):
                    self._rqd.kill(host, running.frame)
        answering = {view.name for view in views}
        for id_, known in list(self._known.items()):
            silent_s = now_s - known.seen_at_s
            if id_ not in mine and (known.host in answering or silent_s > self._settings.lost_s):
                del self._known[id_]
                self._gone |= {} if known.told else {id_: known}
        self._judge(now_s)
        return views

    def _judge(self, now_s: float) -> None:
        """Say of frames that are gone why. RQD forgets a frame first, and reports how it ended a moment later."""
        for id_, known in list(self._gone.items()):
            end = self._receiver.end_of(known.running.frame)
            if end is None and now_s - known.seen_at_s <= self._settings.lost_s:
                continue
            del self._gone[id_]
            if end is None:
                said = f"The worker's frame on {known.host} is gone, and RQD has not said how it ended."
                self._pending.append(Notice(NoticeKind.FAILED, known.intent, id_, said))
            elif end.exit_status == NIMBY_KILL:
                said = f"Somebody works at {known.host}: RQD gave the machine back."
                self._pending.append(Notice(NoticeKind.PREEMPTED, known.intent, id_, said))
            elif end != End(0, 0):
                how = f"signal {end.exit_signal}" if end.exit_signal else f"exit status {end.exit_status}"
                said = (
                    f"The worker's frame on {known.host} ended with {how}; its log is in {self._settings.log_folder}."
                )
                self._pending.append(Notice(NoticeKind.FAILED, known.intent, id_, said))

    def _instance(self, id_: str) -> Instance:
        known = self._known[id_]
        state = InstanceState.STOPPING if known.told else InstanceState.RUNNING
        return Instance(id_, known.intent, state, known.launched_at_s, "rqd", "", known.host.partition(":")[0])

    # ---- Launching -------------------------------------------------------------------------------------------------

    def _fill(self, order: LaunchOrder, hosts: Sequence[HostView]) -> tuple[list[Instance], bool, str]:
        """Launch on the freest hosts first. Returns what was started, whether more may have been, and what RQD said."""
        room = {host.name: _room(host, self._settings) for host in hosts}
        started: list[Instance] = []
        unsure, words = False, ""
        now_s = self._clock.now().timestamp()
        for number in range(order.count):
            while free := max(room, key=lambda name: room[name], default=None):
                if room[free] <= 0:
                    return started, unsure, words
                room[free] -= 1
                fields = run_frame(order, number, self._settings, host=free, labels=self._labels)
                outcome, said = self._rqd.launch(free, fields)
                words = said or words
                if outcome is Launched.REFUSED:
                    room[free] = 0
                    continue
                unsure = unsure or outcome is Launched.UNKNOWN
                if outcome is Launched.YES:
                    id_ = f"{free}/{fields['frame_id']}"
                    started.append(Instance(id_, order.intent, InstanceState.STARTING, now_s, "rqd"))
                break
        return started, unsure, words


def make_backend(pool: str, settings: OpencuePool, farm_id: str) -> OpencueBackend:
    """The backend of a pool with `backend = "opencue"`.

    Raises:
        Unavailable: it cannot listen for reports. ImportError: `opencue-proto` is missing.
    """
    return OpencueBackend(pool, settings, farm_id, receiver=receiver_at(settings.listen), clock=SystemClock())


def _room(host: HostView, settings: OpencuePool) -> int:
    """How many workers a host has room for."""
    rooms = [host.cores // (settings.vcpus * CORE), host.memory_kib // round(settings.memory_gib * KIB_PER_GIB)]
    return min([*rooms, *([host.gpus // settings.gpus] if settings.gpus else [])])
