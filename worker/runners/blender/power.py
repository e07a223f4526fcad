"""How powerful this machine is by Blender: samples per second of Cycles in the factory scene, on all threads."""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import msgspec

from worker.runners.blender.discovery import Blender, parse_version
from worker.runners.blender.runner import BlenderRunner
from worker.runners.blender.settings import load_blender_setup
from worker.runners.process_tree import scrubbed_environment

DRIVER = Path(__file__).resolve().parent / "driver" / "measuring.py"
MARK = "outfield-measured "

TIMEOUT_S = 300.0
"""Longest time for one Blender to start and to render the small pictures."""

REFERENCE_SAMPLES_PER_S = 3.0e6
"""What one vCPU of the reference machine does (see `worker.runners.kernel.power`): Blender 3.4, 640,000 samples in
0.19 s on one thread and in 0.117 s on two (3.4 and 2.7 million per second and vCPU), between the two."""


class BlenderNotMeasured(Exception):
    """Blender is there, but did not render the picture; the message says what it said."""


class _Measured(msgspec.Struct, frozen=True):
    seconds: list[float]
    samples: int
    version: str


@dataclass(frozen=True, slots=True)
class BlenderPower:
    """Samples per second of all threads together, the best of the repetitions."""

    version: str
    threads: int
    samples_per_s: float


def blender_power(threads: int) -> BlenderPower | None:
    """Measure the newest Blender of this machine; None where there is none.

    Raises:
        BlenderNotMeasured: see there.
    """
    runner = BlenderRunner()
    try:
        found = sorted(runner.blenders(), key=lambda blender: parse_version(blender.version))
    finally:
        runner.close()
    return _measure(found[-1], threads) if found else None


def blender_rating(measured: BlenderPower) -> float:
    """The power of one vCPU by Blender; 1: the reference machine's."""
    return measured.samples_per_s / measured.threads / REFERENCE_SAMPLES_PER_S


def _measure(blender: Blender, threads: int) -> BlenderPower:
    with tempfile.TemporaryDirectory(prefix="outfield-bench-") as folder:
        command = blender.command(DRIVER, trusted=False, threads=threads)
        environment = scrubbed_environment(load_blender_setup().environment, Path(folder))
        try:
            ran = subprocess.run(
                command, env=environment, cwd=folder, capture_output=True, timeout=TIMEOUT_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise BlenderNotMeasured(f"{blender.path}: {error}") from error
    said = next((line for line in _lines(ran.stdout) if line.startswith(MARK)), None)
    if said is None:
        last = [line for line in _lines(ran.stdout + ran.stderr) if line.strip()][-1:] or ["it said nothing"]
        raise BlenderNotMeasured(f"{blender.path} ended with {ran.returncode}: {last[0]}")
    measured = msgspec.json.decode(said.removeprefix(MARK), type=_Measured)
    return BlenderPower(measured.version, threads, measured.samples / min(measured.seconds[1:]))


def _lines(output: bytes) -> list[str]:
    return output.decode("utf-8", "replace").splitlines()
