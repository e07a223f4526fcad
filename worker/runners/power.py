"""A machine's power rating: what one of its vCPUs does against one of the reference machine's, kernel and Blender.

The kernel's figure is the rating, because every worker has it; Blender's stands beside it. What was measured is kept in
the worker's data folder (`bench.json`), so that a worker that joins later brings its rating along. Reading that imports
no renderer.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

FILE_NAME = "bench.json"
DIGITS = 4


def measure_power(vcpus: int, repeat: int, *, blender: bool = True) -> dict[str, Any]:
    """Measure this machine; takes some seconds.

    Returns {"rating", "vcpus", "reference_rays_per_s", "kernel": {"rating", "threads": [{"threads", "rays_per_s"}]},
    "blender": None or {"rating", "version", "threads", "samples_per_s"} or {"problem": why not}}. Ratings are per vCPU.
    """
    from worker.runners.kernel.power import REFERENCE_RAYS_PER_S, kernel_power, kernel_rating

    threads = kernel_power(vcpus, repeat)
    rating = round(kernel_rating(threads, vcpus), DIGITS)
    return {
        "rating": rating,
        "vcpus": vcpus,
        "reference_rays_per_s": REFERENCE_RAYS_PER_S,
        "kernel": {
            "rating": rating,
            "threads": [{"threads": found.threads, "rays_per_s": round(found.rays_per_s)} for found in threads],
        },
        "blender": _blender(vcpus) if blender else None,
    }


def _blender(vcpus: int) -> dict[str, Any] | None:
    from worker.runners.blender.power import BlenderNotMeasured, blender_power, blender_rating

    try:
        found = blender_power(vcpus)
    except BlenderNotMeasured as error:
        return {"problem": str(error)}
    if found is None:
        return None
    return {
        "rating": round(blender_rating(found), DIGITS),
        "version": found.version,
        "threads": found.threads,
        "samples_per_s": round(found.samples_per_s),
    }


def save_power(data: Path, measured: dict[str, Any]) -> Path:
    """Keep what was measured for the worker of this data folder; whole or not at all."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = data / f"{FILE_NAME}.new"
    new.write_bytes(msgspec.json.encode(measured))
    os.replace(new, data / FILE_NAME)
    return data / FILE_NAME


def load_power(data: Path) -> dict[str, Any] | None:
    """What was measured for this worker before; None if nothing was, or it cannot be read."""
    try:
        return msgspec.json.decode((data / FILE_NAME).read_bytes(), type=dict[str, Any])
    except (FileNotFoundError, msgspec.DecodeError):
        return None
