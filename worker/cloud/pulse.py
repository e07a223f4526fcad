"""A cloud worker's sign of life: a small file that says when it last heard the scheduler and last had work.

The worker writes it, the dead-man timer (`worker.dead_man`) reads it; that is all they know of one another. Times are
seconds since the machine was started, which both see alike and no clock change moves.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

FILE_NAME = "pulse.json"


@dataclass(frozen=True)
class Pulse:
    """`beat_s`: the worker itself was alive; `contact_s`: the scheduler answered it; `busy_s`: it had work."""

    beat_s: float
    contact_s: float
    busy_s: float


def write_pulse(data: Path, pulse: Pulse) -> None:
    """Replace the sign of life in a worker's data folder."""
    new = data / f"{FILE_NAME}.new"
    new.write_text(json.dumps(asdict(pulse)))
    os.replace(new, data / FILE_NAME)


def read_pulse(data: Path) -> Pulse | None:
    """The last sign of life; None if there never was one, or none that can be read."""
    try:
        said = json.loads((data / FILE_NAME).read_text())
        return Pulse(float(said["beat_s"]), float(said["contact_s"]), float(said["busy_s"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
