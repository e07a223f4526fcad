"""What this machine has: cores it may use, memory, GPUs, renderers. Quick, because a worker joins at once.

Asking Blender takes 1.5 s, so what a renderer's program said is remembered in the data folder until the program
changes (path, size, time of change) or Outfield does.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import psutil

from scheduler.protocol.workers import Capabilities
from worker.runners.power import load_power
from worker.runners.registry import RunnerRegistry, RunnerSpec, placed
from worker.settings import listed_programs
from worker.telemetry import logger

GPU_PROBE_S = 5.0
"""How long nvidia-smi may take; on a machine without a driver it may hang."""

CGROUP = Path("/sys/fs/cgroup")
FILE_NAME = "probe.json"
GIB = 2**30
_TAGS = {"linux": "linux", "darwin": "macos", "win32": "windows"}

_log = logger("probe")


def probe(registry: RunnerRegistry, data: Path, extra_tags: Sequence[str] = ()) -> Capabilities:
    """Look at the machine and at every renderer of the registry. A renderer that cannot be asked is not offered."""
    found = _renderers(registry, data / FILE_NAME)
    return Capabilities(
        vcpus=vcpus(),
        memory_gib=round(memory_bytes() / GIB, 1),
        gpus=gpus(),
        tags=sorted({_TAGS.get(sys.platform, sys.platform), platform.machine().lower(), *extra_tags} - {""}),
        renderers={name: said["versions"] for name, said in found.items() if said.get("versions")},
        details={
            "hostname": platform.node(),
            "os": platform.platform(),
            "python": platform.python_version(),
            "numba": _version("numba"),
            "outfield": _version("outfield"),
            **({"bench": measured} if (measured := load_power(data)) else {}),
            "renderers": {
                name: {key: value for key, value in said.items() if key != "versions"} for name, said in found.items()
            },
        },
    )


def vcpus() -> int:
    """Cores that this process may use: its affinity, and the quota of its control group (containers, Slurm)."""
    mine = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota, _, period = _read(CGROUP / "cpu.max").partition(" ")
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        mine = min(mine, max(1, int(quota) // int(period)))
    return mine


def memory_bytes() -> int:
    """Memory that this process may use: the machine's, or less if its control group says so."""
    total = psutil.virtual_memory().total
    limit = _read(CGROUP / "memory.max")
    return min(total, int(limit)) if limit.isdigit() else total


def gpus() -> int:
    """NVIDIA GPUs that the driver lists; 0 without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return 0
    try:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, timeout=GPU_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        _log.warning("gpu_probe_failed", reason=str(error))
        return 0
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines()) if listed.returncode == 0 else 0


def load_share() -> float:
    """Load of the machine per core over the last minute."""
    return round(psutil.getloadavg()[0] / vcpus(), 2)


def _renderers(registry: RunnerRegistry, file: Path) -> dict[str, dict[str, Any]]:
    known = _remembered(file)
    found: dict[str, dict[str, Any]] = {}
    marks: dict[str, str] = {}
    for name, spec in registry.specs.items():
        marks[name] = fingerprint(spec)
        before = known.get(name)
        if spec.programs and before is not None and before.get("fingerprint") == marks[name]:
            found[name] = before["said"]
            continue
        said = _ask(registry, name)
        if said is not None:
            found[name] = said
    asked = {
        name: {"fingerprint": marks[name], "said": said}
        for name, said in found.items()
        if registry.specs[name].programs
    }
    if asked != known:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_bytes(msgspec.json.encode(asked))
    return found


def _ask(registry: RunnerRegistry, name: str) -> dict[str, Any] | None:
    """What a runner says of itself. Whatever goes wrong with one renderer, the others are still offered."""
    try:
        said = registry.get(name).versions()
    except Exception as error:  # noqa: BLE001 - a renderer's bug costs that renderer alone
        _log.warning("renderer_not_available", renderer=name, reason=f"{type(error).__name__}: {error}")
        return None
    _log.info("renderer_found" if said.get("versions") else "renderer_missing", renderer=name, **_plain(said))
    return said


def fingerprint(spec: RunnerSpec) -> str:
    """Changes when one of the renderer's programs is installed, replaced or removed, or when Outfield is updated."""
    parts = [_version("outfield")]
    programs = [(name, shutil.which(name)) for name in listed_programs(spec.listed_in) or spec.programs]
    for program, path in [*programs, *((str(place), str(place)) for place in placed(spec.places))]:
        if path is None:
            parts.append(f"{program}:missing")
            continue
        real = Path(path).resolve()
        status = real.stat()
        parts.append(f"{real}:{status.st_size}:{status.st_mtime_ns}")
    return "|".join(parts)


def _remembered(file: Path) -> dict[str, dict[str, Any]]:
    try:
        return msgspec.json.decode(file.read_bytes(), type=dict[str, dict[str, Any]])
    except (FileNotFoundError, msgspec.DecodeError):
        return {}


def _plain(said: dict[str, Any]) -> dict[str, Any]:
    return {"versions": said.get("versions", [])}


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
