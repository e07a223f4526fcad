"""The port between the farm and whatever makes workers appear: six calls, and the words they exchange.

A backend is told what to do and says what is there; how many instances are wanted, what they may cost and which of them
must go is decided elsewhere (`domain.scaling`, `service.launching`). Every call may take seconds and is made in a
thread of the pool's own; it raises `BackendError` where the provider did not do what was asked, and `Unknown` where
nobody can say whether it did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from scheduler.errors import Unavailable

LABEL_FARM, LABEL_POOL, LABEL_INTENT = "outfield-farm", "outfield-pool", "outfield-intent"
"""Tags or labels that every instance carries; by them the reaper knows what is ours."""


class BackendError(Unavailable):
    """The provider did not do what was asked, and nothing was started."""

    code = "backend_failed"


class StockOut(BackendError):
    """The provider has no such machine free in any of the places that were allowed."""

    code = "stock_out"
    hint = "Add zones or machine types to the pool, or wait; the farm tries again by itself."


class QuotaExceeded(BackendError):
    """The account's quota does not allow more machines."""

    code = "quota_exceeded"
    hint = "Ask the provider for more quota, or lower the pool's workers_max."


class Throttled(BackendError):
    """The provider asks for fewer calls."""

    code = "throttled"


class Unknown(Unavailable):
    """Nobody can say whether the provider did what was asked: look it up by intent before trying again."""

    code = "outcome_unknown"


class InstanceState(StrEnum):
    """Where an instance stands, as its provider says."""

    STARTING = "starting"
    """Asked for and not yet running; it may cost already."""
    RUNNING = "running"
    STOPPING = "stopping"
    """On its way out; it may still cost."""
    GONE = "gone"
    """Ended for good; it costs nothing more."""


class Sized(Protocol):
    """Settings of a pool whose workers are all alike."""

    vcpus: int
    memory_gib: float
    gpus: int
    price_usd_per_hour: float
    boot_s: float
    billing_s: float


@dataclass(frozen=True, slots=True)
class Offer:
    """What one instance of a pool is and costs. A pool may have several; the first is the one that is preferred.

    `boot_s` is the time from the launch until a worker asks for work, `billing_s` the unit that is paid for even if
    only begun, `loss_per_hour` the chance that the provider takes it back within an hour (0: never).
    """

    machine: str
    vcpus: int
    memory_gib: float
    gpus: int = 0
    price_usd_per_hour: float = 0.0
    boot_s: float = 60.0
    billing_s: float = 1.0
    loss_per_hour: float = 0.0
    place: str = ""

    @classmethod
    def of(cls, size: Sized, machine: str, place: str = "") -> Offer:
        """The one offer of a pool whose settings say themselves what a worker is and costs."""
        return cls(
            machine=machine,
            vcpus=size.vcpus,
            memory_gib=size.memory_gib,
            gpus=size.gpus,
            price_usd_per_hour=size.price_usd_per_hour,
            boot_s=size.boot_s,
            billing_s=size.billing_s,
            place=place,
        )


@dataclass(frozen=True, slots=True)
class LaunchOrder:
    """An order for `count` instances. `intent` is unique for ever: the same order twice starts them once.

    `start_up` is the script that an instance runs at its first boot; it installs the agent and joins it with
    a join code (`domain.start_up`). Where only the machine can know the provider's id, a backend puts lines before it
    that export OUTFIELD_INSTANCE. `life_s` is how long an instance may live at the most; the provider or the instance
    itself ends it then, whether the farm still exists or not. `labels` are added to the farm's own three.
    """

    intent: str
    count: int
    start_up: str
    life_s: float
    labels: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class LaunchPlan:
    """What `launch` would do, without doing it: lines for people, and what it would cost while it runs."""

    count: int
    usd_per_hour: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance as its provider tells of it. `id` is the provider's; with it the instance can be ended.

    `intent` is empty where the instance carries our farm's label and no intent's: nobody ordered it.
    """

    id: str
    intent: str
    state: InstanceState
    launched_at_s: float
    machine: str = ""
    place: str = ""
    address: str = ""


class NoticeKind(StrEnum):
    """What a provider may tell of its own accord."""

    PREEMPTED = "preempted"
    """The provider takes the instance back, or has."""
    FAILED = "failed"
    """The instance could not start, or died."""
    STOCK_OUT = "stock_out"
    """Fewer instances were started than ordered."""
    QUOTA = "quota"


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that happened to an instance, or to an intent as a whole (`instance` is empty then)."""

    kind: NoticeKind
    intent: str
    instance: str = ""
    message: str = ""


class Backend(Protocol):
    """What makes the workers of one pool appear. Calls of one backend never overlap."""

    def offers(self) -> Sequence[Offer]:
        """What can be had, the preferred one first; never empty. Answers without asking the provider twice a minute."""
        ...

    def plan(self, count: int) -> LaunchPlan:
        """What launching `count` instances would do and cost, without doing it."""
        ...

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        """Start what was ordered, and say what was started; fewer than ordered is no error (`events` says why).

        Raises:
            BackendError: nothing was started.
            Unknown: it may have been; `list` will tell.
        """
        ...

    def list(self) -> Sequence[Instance]:
        """Every instance with this farm's label and this pool's; those that are gone may be left out.

        Raises:
            Unavailable: the provider cannot be asked.
        """
        ...

    def terminate(self, instances: Sequence[str]) -> None:
        """End instances by the provider's id; those that are gone already are no error. Returns before they are gone.

        Raises:
            Unavailable: some of them may still be there; ask again.
        """
        ...

    def events(self) -> Sequence[Notice]:
        """What has happened since the last call; each notice once."""
        ...
