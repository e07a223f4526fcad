"""The script that turns a new instance into a worker, as text. Pure; backends hand it to their provider as it is.

It is POSIX shell for any Linux image. A backend may put lines before it that export OUTFIELD_INSTANCE, the provider's
id of the machine, where only the machine itself can know it. OUTFIELD_KEEP_ON keeps it from turning the machine off.
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

KILL_AFTER_S = 30


@dataclass(frozen=True, slots=True)
class Boot:
    """What the script needs to know. `join` is valid once for each instance of the intent. `cloud` is whose metadata
    service the agent watches; `ca_pin` is the hash of the farm's authority, where it serves HTTPS with one of its own;
    `power_off`: the machine is the farm's alone and is turned off with the agent."""

    server: str
    join: str
    pool: str
    intent: str
    life_s: float
    install: str = ""
    ca_pin: str = ""
    cloud: str = "none"
    power_off: bool = False


def start_up_script(boot: Boot) -> str:
    """The script. The agent's life ends before the machine's, so that leases are given back in time."""
    said = {
        "SERVER": boot.server,
        "JOIN": boot.join,
        "POOL": boot.pool,
        "INTENT": boot.intent,
        "CLOUD": boot.cloud,
        "LIFE_S": f"{boot.life_s:.0f}",
        **({"CA_PIN": boot.ca_pin} if boot.ca_pin else {}),
    }
    exports = [f"export OUTFIELD_WORKER__{name}={shlex.quote(value)}" for name, value in said.items()]
    lines = [
        "#!/bin/sh",
        "# Outfield: makes this machine a worker of the farm for a limited time.",
        "set -u",
        *(_power_off(boot.life_s) if boot.power_off else []),
        *exports,
        'if [ -n "${OUTFIELD_INSTANCE:-}" ]; then export OUTFIELD_WORKER__INSTANCE="$OUTFIELD_INSTANCE"; fi',
        *([boot.install] if boot.install else []),
        f"timeout --kill-after={KILL_AFTER_S} {boot.life_s:.0f} outfield worker",
        "ended=$?",
        *(["leave"] if boot.power_off else []),
        'exit "$ended"',
    ]
    return "\n".join(lines) + "\n"


def _power_off(life_s: float) -> list[str]:
    """The dead man's switch first: whatever happens below, the machine goes when its time is over."""
    minutes = max(1, math.ceil(life_s / 60))
    return [
        'leave() { [ -n "${OUTFIELD_KEEP_ON:-}" ] || shutdown -P now; }',
        f'[ -n "${{OUTFIELD_KEEP_ON:-}}" ] || shutdown -P +{minutes} || {{ (sleep {life_s:.0f}; poweroff -f) & }}',
    ]
