"""A backend on a provider that tests can steer: what `backend_suite` needs of it."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import pytest

from scheduler.backends.base import Backend, Instance, InstanceState, LaunchOrder

ROUNDS_MAX = 100


def _nothing() -> None:
    """Time passes by itself."""


@dataclass
class Rig:
    """A backend on a provider that tests can steer.

    `reborn` makes a new backend object for the same pool, as after the scheduler's restart. `wait` lets a little of the
    provider's time pass (a real provider's: sleep a little). `start_up` is a script that an instance can run.
    """

    backend: Backend
    reborn: Callable[[], Backend]
    wait: Callable[[], None] = _nothing
    start_up: str = "#!/bin/sh\nexec sleep 600\n"
    count_max: int = 3
    """Instances that the provider can start side by side; at least 2."""
    life_s: float = 3600.0
    other_farm: Callable[[], Backend] | None = None
    """A backend of another farm with the same pool on the same provider."""
    leave_room_for: Callable[[int], None] | None = None
    """From now on, only so many more instances can be started."""
    losing_answers: Callable[[], AbstractContextManager[None]] | None = None
    """Within it, a launch happens but its answer does not arrive."""
    cut_off: Callable[[], AbstractContextManager[None]] | None = None
    """Within it, the provider cannot be reached."""
    preempt: Callable[[str], None] | None = None
    """The provider takes an instance back."""
    intents: list[str] = field(default_factory=list[str])

    def order(self, count: int = 1) -> LaunchOrder:
        """A new order, as the scheduler would write it."""
        self.intents.append(uuid.uuid4().hex)
        return LaunchOrder(self.intents[-1], count, self.start_up, self.life_s, {"outfield-test": "suite"})

    def seen(self, intent: str | None = None) -> list[Instance]:
        """What the backend lists of this test's orders and has not ended."""
        wanted = self.intents if intent is None else [intent]
        return [i for i in self.backend.list() if i.intent in wanted and i.state is not InstanceState.GONE]

    def until(self, true: Callable[[], bool], words: str) -> None:
        """Let time pass until it is true; fail after a bounded number of rounds."""
        for _round in range(ROUNDS_MAX):
            if true():
                return
            self.wait()
        pytest.fail(f"after {ROUNDS_MAX} rounds of waiting: {words}")

    def ids(self, intent: str | None = None) -> set[str]:
        """The provider's ids of what is seen."""
        return {instance.id for instance in self.seen(intent)}

    def launched(self, count: int = 1) -> tuple[str, set[str]]:
        """Launch and wait until all of it is listed; the intent and the ids."""
        order = self.order(count)
        self.backend.launch(order)
        self.until(lambda: len(self.ids(order.intent)) == count, f"{count} instances are listed")
        return order.intent, self.ids(order.intent)

    def clear(self) -> None:
        """End whatever this test has started, and wait until it is gone."""
        self.until(self._cleared, "nothing of the test is left")

    def _cleared(self) -> bool:
        here = [i.id for i in self.seen() if i.state is not InstanceState.STOPPING]
        if here:
            self.backend.terminate(here)
        return not self.seen()
