"""The state machines of rented machines, each one table: the intent to launch, and the instances that come of it.

As in `states`: what is not in a table may not happen, and `docs/states.md` is generated from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class IntentStatus(StrEnum):
    """Where the intent to launch instances stands."""

    INTENDED = "INTENDED"
    LAUNCHING = "LAUNCHING"
    RUNNING = "RUNNING"
    ENDING = "ENDING"
    GONE = "GONE"
    FAILED = "FAILED"


class IntentEvent(StrEnum):
    """What can happen to an intent."""

    ASK = "ask"
    APPEAR = "appear"
    END = "end"
    VANISH = "vanish"
    FAIL = "fail"


class InstanceStatus(StrEnum):
    """Where an instance stands, as far as the farm is concerned."""

    STARTING = "STARTING"
    RUNNING = "RUNNING"
    DRAINING = "DRAINING"
    ENDING = "ENDING"
    GONE = "GONE"


class InstanceEvent(StrEnum):
    """What can happen to an instance."""

    RUN = "run"
    DRAIN = "drain"
    END = "end"
    VANISH = "vanish"
    REAPPEAR = "reappear"


INTENT_MEANING: Mapping[IntentStatus, str] = {
    IntentStatus.INTENDED: "Written down with its money reserved; the provider has not been asked yet.",
    IntentStatus.LAUNCHING: "The provider is being asked, or was and nobody knows what came of it.",
    IntentStatus.RUNNING: "Instances of it are there.",
    IntentStatus.ENDING: "All of its instances are to go.",
    IntentStatus.GONE: "All of its instances are gone; nothing is reserved any more.",
    IntentStatus.FAILED: "Nothing was started; nothing is reserved any more.",
}

INSTANCE_MEANING: Mapping[InstanceStatus, str] = {
    InstanceStatus.STARTING: "Launched; it does not run yet.",
    InstanceStatus.RUNNING: "Runs, says its provider.",
    InstanceStatus.DRAINING: "Its worker finishes what it has; then the instance is ended.",
    InstanceStatus.ENDING: "To be ended, until the provider does not list it any more.",
    InstanceStatus.GONE: "Confirmed to be gone; it costs nothing more.",
}

INTENT_TRANSITIONS: Mapping[tuple[IntentStatus, IntentEvent], IntentStatus] = {
    (IntentStatus.INTENDED, IntentEvent.ASK): IntentStatus.LAUNCHING,
    (IntentStatus.INTENDED, IntentEvent.FAIL): IntentStatus.FAILED,
    (IntentStatus.LAUNCHING, IntentEvent.APPEAR): IntentStatus.RUNNING,
    (IntentStatus.LAUNCHING, IntentEvent.END): IntentStatus.ENDING,
    (IntentStatus.LAUNCHING, IntentEvent.FAIL): IntentStatus.FAILED,
    (IntentStatus.RUNNING, IntentEvent.END): IntentStatus.ENDING,
    (IntentStatus.RUNNING, IntentEvent.VANISH): IntentStatus.GONE,
    (IntentStatus.ENDING, IntentEvent.VANISH): IntentStatus.GONE,
}

INSTANCE_TRANSITIONS: Mapping[tuple[InstanceStatus, InstanceEvent], InstanceStatus] = {
    (InstanceStatus.STARTING, InstanceEvent.RUN): InstanceStatus.RUNNING,
    (InstanceStatus.STARTING, InstanceEvent.DRAIN): InstanceStatus.DRAINING,
    (InstanceStatus.STARTING, InstanceEvent.END): InstanceStatus.ENDING,
    (InstanceStatus.STARTING, InstanceEvent.VANISH): InstanceStatus.GONE,
    (InstanceStatus.RUNNING, InstanceEvent.DRAIN): InstanceStatus.DRAINING,
    (InstanceStatus.RUNNING, InstanceEvent.END): InstanceStatus.ENDING,
    (InstanceStatus.RUNNING, InstanceEvent.VANISH): InstanceStatus.GONE,
    (InstanceStatus.DRAINING, InstanceEvent.END): InstanceStatus.ENDING,
    (InstanceStatus.DRAINING, InstanceEvent.VANISH): InstanceStatus.GONE,
    (InstanceStatus.ENDING, InstanceEvent.VANISH): InstanceStatus.GONE,
    # The provider lists again what it had left out; it was not wanted any more.
    (InstanceStatus.GONE, InstanceEvent.REAPPEAR): InstanceStatus.ENDING,
}

TERMINAL_INTENTS = frozenset({IntentStatus.GONE, IntentStatus.FAILED})
