"""Backends by name, each imported when the first pool of its kind is used.

A backend is a module or package `scheduler.backends.NAME` with one function,

    make_backend(pool: str, settings: TheSettingsOfItsPools, farm_id: str) -> Backend

which may raise what `Backend`'s calls may. It imports the vendor's SDK (seconds, and a hundred MB for some) inside, so
that a farm without such a pool never pays for it. Which backends there are stands here and nowhere else.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from scheduler.backends.base import Backend
from scheduler.errors import Unavailable
from scheduler.settings import PoolSettings

PACKAGE = "scheduler.backends"
MAKER = "make_backend"

Maker = Callable[[str, PoolSettings, str], Backend]


class BackendMissing(Unavailable):
    """The pool's backend cannot be used on this machine."""

    code = "backend_missing"


@dataclass(frozen=True, slots=True)
class Entry:
    """A backend: what it is, and the distribution that brings what it imports (none: nothing but Outfield)."""

    title: str
    distribution: str | None = None

    @property
    def hint(self) -> str:
        """What to do when it cannot be imported."""
        if self.distribution is None:
            return "Install Outfield anew in an environment of its own; `outfield doctor` finds what is in its way."
        return f"Install it beside Outfield: pip install {self.distribution}"


BACKENDS: Mapping[str, Entry] = {
    "onprem": Entry("machines of the studio"),
    "aws": Entry("Amazon EC2", "boto3"),
    "gce": Entry("Google Compute Engine", "google-cloud-compute"),
    "slurm": Entry("a Slurm cluster"),
    "opencue": Entry("hosts of an OpenCue farm", "opencue-proto"),
}
"""Backends that make instances. `site` forwards whole jobs instead and is none of these."""

Registry = Callable[[str, PoolSettings, str], Backend]
"""Makes the backend of a pool; tests put their own in the place of `make`."""


def makes_instances(settings: PoolSettings) -> bool:
    """Whether workers of such a pool are made to appear by a backend of this registry."""
    return settings.backend in BACKENDS


def make(pool: str, settings: PoolSettings, farm_id: str) -> Backend:
    """The backend of the pool `pool`, for the farm with this id.

    Raises:
        BackendMissing: no such backend, or what it needs is not installed; the hint says how to.
        Unavailable: the backend itself cannot work (no credentials, no program of the cluster).
    """
    entry = BACKENDS.get(settings.backend)
    if entry is None:
        raise BackendMissing(
            f"Pool {pool!r} has the backend {settings.backend!r}, which makes no instances.",
            hint=f"Backends that do: {', '.join(sorted(BACKENDS))}.",
        )
    try:
        module = importlib.import_module(f"{PACKAGE}.{settings.backend}")
        maker = cast("Maker", getattr(module, MAKER))
        return maker(pool, settings, farm_id)
    except ImportError as error:
        raise _missing(pool, settings.backend, entry, error) from error


def _missing(pool: str, backend: str, entry: Entry, error: ImportError) -> BackendMissing:
    lacks = error.name or str(error)
    return BackendMissing(
        f"Pool {pool!r} needs {entry.title}, but {lacks} cannot be imported.",
        hint=entry.hint,
        details={"backend": backend, "missing": lacks, "problem": str(error)},
    )
