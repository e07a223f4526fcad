"""The dead-man timer of a cloud machine: a process of its own that ends the machine when nobody needs it any more.

    python -m worker.dead_man --data DIR --life-s 21600 -- shutdown -h now

It runs the command when the worker was killed or never came, when the scheduler cannot be reached for long, when there
has been no work for long, and when the machine's time is over. It is started by the machine's start-up script, never by
a worker, so that it stands on no studio machine. It needs nothing but the standard library, and decides in `why_end`.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker.clock import Clock, SystemClock
from worker.cloud.pulse import Pulse, read_pulse

EXIT_REFUSED = 3
"""The command did not end the machine. Whoever keeps this process alive starts it again, and it tries again."""


@dataclass(frozen=True)
class Patience:
    """How long each state of a machine may last, in seconds; 0: for ever. `start_s` is for a worker's first sign."""

    life_s: float = 0.0
    start_s: float = 900.0
    dead_s: float = 120.0
    unreachable_s: float = 900.0
    idle_s: float = 1800.0


def why_end(pulse: Pulse | None, now_s: float, patience: Patience) -> str:
    """Why the machine should end, in words for its log; empty: it should not. Times are seconds since its start."""

    def over(since_s: float, longest_s: float) -> bool:
        return longest_s > 0 and now_s - since_s > longest_s

    if over(0.0, patience.life_s):
        return f"it has lived for {patience.life_s:g} s"
    if pulse is None:
        return f"no worker came within {patience.start_s:g} s" if over(0.0, patience.start_s) else ""
    if over(pulse.beat_s, patience.dead_s):
        return f"its worker gave no sign for {patience.dead_s:g} s"
    if over(pulse.contact_s, patience.unreachable_s):
        return f"the scheduler was not reached for {patience.unreachable_s:g} s"
    if over(pulse.busy_s, patience.idle_s):
        return f"it had no work for {patience.idle_s:g} s"
    return ""


def watch(
    data: Path, patience: Patience, end: Callable[[str], int], *, clock: Clock, every_s: float, stop: threading.Event
) -> int:
    """Look again and again; returns what `end` returned, or 0 when `stop` is set first."""
    while not stop.wait(every_s):
        why = why_end(read_pulse(data), clock.uptime(), patience)
        if why:
            return end(why)
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """The process. Returns 0 when the command was run and succeeded."""
    options = _parser().parse_args(arguments)
    patience = Patience(options.life_s, options.start_s, options.dead_s, options.unreachable_s, options.idle_s)

    def end(why: str) -> int:
        _say(f"this machine ends: {why}")
        try:
            return subprocess.run(options.command, check=False).returncode and EXIT_REFUSED
        except OSError as error:
            _say(f"{options.command[0]} cannot be run: {error.strerror}")
            return EXIT_REFUSED

    return watch(options.data, patience, end, clock=SystemClock(), every_s=options.every_s, stop=threading.Event())


def _say(text: str) -> None:
    sys.stderr.write(f"dead man: {text}\n")
    sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m worker.dead_man", description="Ends a machine nobody needs.")
    parser.add_argument("--data", type=Path, required=True, help="data folder of the worker")
    parser.add_argument("--every-s", type=float, default=5.0, help="how often to look")
    for name, default in vars(Patience()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=float, default=default, help="0: for ever")
    parser.add_argument("command", nargs="+", help="what ends the machine, after --")
    return parser


if __name__ == "__main__":
    sys.exit(main())
