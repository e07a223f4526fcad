"""The port's six calls for machines of the studio. A launch wakes machines, an end lets them sleep again.

The order's start-up script and life are not used: such a machine has its own agent and its own hours.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from scheduler.backends.base import Instance, LaunchOrder, LaunchPlan, Notice, NoticeKind, Offer, StockOut
from scheduler.backends.onprem import network
from scheduler.backends.onprem.memory import Memory, default_file
from scheduler.backends.onprem.waking import Outcome, Woken, choose, look
from scheduler.clock import Clock, SystemClock, studio_time
from scheduler.errors import Unavailable
from scheduler.settings import Machine, OnpremPool
from scheduler.settings.hours import within

COMMANDS_AT_ONCE = 16


class OnpremBackend:
    """The machines of one pool. `memory` says which of them are awake because of the farm."""

    def __init__(self, settings: OnpremPool, *, memory: Memory, clock: Clock) -> None:
        self._settings, self._memory, self._clock = settings, memory, clock
        self._machines = {machine.name: machine for machine in settings.machines}
        self._pending: list[Notice] = []

    def offers(self) -> Sequence[Offer]:
        return [Offer.of(self._settings, "workstation")]

    def plan(self, count: int) -> LaunchPlan:
        names = [machine.name for machine in self._settings.machines if self._may_be_used(machine)]
        count = min(count, len(names))
        lines = (
            f"wake {count} machines by a packet to {self._settings.broadcast}:{self._settings.wake_port}",
            f"of those that are asleep then, in this order: {', '.join(names) or 'none is registered for this hour'}",
        )
        return LaunchPlan(count, count * self._settings.price_usd_per_hour, lines)

    def launch(self, order: LaunchOrder) -> Sequence[Instance]:
        known = self._memory.read()
        if order.intent in known.intents:
            return [each for each in self._look().instances if each.intent == order.intent]
        taken = [each.machine for each in known.woken]
        candidates = [machine for machine in self._settings.machines if machine.name not in taken]
        answering = network.awake(candidates, self._settings.probe_s)
        chosen, fewer = choose(order.count, self._settings, taken, answering, self._may_be_used)
        if not chosen:
            raise StockOut(
                f"No machine of the pool can be woken: {fewer}",
                hint="Register more `machines`, or widen their `hours`.",
            )
        now_s = self._now_s()
        new = [Woken(machine.name, order.intent, now_s) for machine in chosen]
        self._memory.write([*known.woken, *new], [*known.intents, order.intent])  # before anything wakes of it
        if fewer:
            self._pending.append(Notice(NoticeKind.STOCK_OUT, order.intent, "", fewer))
        self._wake(chosen)
        return list(look(new, frozenset(), now_s, self._settings, self._may_be_used).instances)

    def list(self) -> Sequence[Instance]:
        outcome = self._look()
        silent = [self._machines[each.machine] for each in outcome.woken if each.answered_at_s is None]
        if silent:
            self._wake(silent)  # it may have been going to sleep when the first packet came
        return list(outcome.instances)

    def terminate(self, instances: Sequence[str]) -> None:
        """Let machines sleep. Without `sleep_command` they are given up, and sleep when their own system says so."""
        known, wanted = self._memory.read(), set(instances)
        go = [each for each in known.woken if each.id in wanted and each.sleep_at_s is None]
        if not self._settings.sleep_command:
            self._memory.write([each for each in known.woken if each not in go], known.intents)
            return
        with ThreadPoolExecutor(max_workers=COMMANDS_AT_ONCE) as commands:
            said = dict(zip(go, commands.map(self._put_to_sleep, go), strict=True))
        told = [replace(each, sleep_at_s=self._now_s()) if said.get(each) == "" else each for each in known.woken]
        self._memory.write(told, known.intents)
        failed = [words for words in said.values() if words]
        if failed:
            raise Unavailable(f"{len(failed)} of {len(go)} machines did not go to sleep: {'; '.join(failed)[:300]}")

    def events(self) -> Sequence[Notice]:
        """What became of the machines since the last call.

        Raises:
            Unavailable: this machine has no network.
        """
        self._look()
        told, self._pending = self._pending, []
        return told

    def _look(self) -> Outcome:
        known = self._memory.read()
        ours = [self._machines[each.machine] for each in known.woken if each.machine in self._machines]
        answering = network.awake(ours, self._settings.probe_s)
        outcome = look(known.woken, answering, self._now_s(), self._settings, self._may_be_used)
        if outcome.woken != known.woken:
            self._memory.write(outcome.woken, known.intents)
        self._pending += outcome.notices
        return outcome

    def _put_to_sleep(self, each: Woken) -> str:
        """Run the command for one machine; returns what went wrong, or nothing."""
        machine = self._machines.get(each.machine)
        if machine is None:
            return ""
        words = {"{name}": machine.name, "{address}": machine.address}
        command = [_filled(part, words) for part in self._settings.sleep_command]
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._settings.sleep_command_s,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{machine.name}: {error}"
        asleep = done.returncode == 0 or machine.name not in network.awake([machine], self._settings.probe_s)
        return "" if asleep else f"{machine.name}: {done.stderr.strip() or f'ended with {done.returncode}'}"

    def _wake(self, machines: Sequence[Machine]) -> None:
        network.wake(machines, self._settings.broadcast, self._settings.wake_port)

    def _may_be_used(self, machine: Machine) -> bool:
        hours = self._settings.hours if machine.hours is None else machine.hours
        return within(hours, studio_time(self._clock.now(), self._settings.time_zone))

    def _now_s(self) -> float:
        return self._clock.now().timestamp()


def make_backend(pool: str, settings: OnpremPool, farm_id: str) -> OnpremBackend:
    """The backend of a pool with `backend = "onprem"`."""
    file = settings.state_file or default_file(farm_id, pool)
    return OnpremBackend(settings, memory=Memory(file), clock=SystemClock())


def _filled(part: str, words: dict[str, str]) -> str:
    for mark, value in words.items():
        part = part.replace(mark, value)
    return part
