"""Does a task fit a machine, and if not, what is missing: the same rule for routing, leasing and `why`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Needs:
    """What one task needs. `renderer_version` is the version that saved the scene; a worker needs it or a newer one."""

    renderer: str
    renderer_version: str = ""
    vcpus: int = 1
    memory_gib: float = 0.0
    gpus: int = 0
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Machine:
    """What a worker's machine has, all of it, whatever it is busy with."""

    worker: str
    vcpus: int
    memory_gib: float
    gpus: int = 0
    tags: frozenset[str] = frozenset()
    renderers: dict[str, tuple[str, ...]] = field(default_factory=dict)


def shortfall(needs: Needs, machine: Machine) -> tuple[str, ...]:
    """What the machine lacks, in words that follow a count ("37 have less than 64 GiB"); empty: it fits."""
    lacks: list[str] = []
    versions = machine.renderers.get(needs.renderer, ())
    if not versions:
        lacks.append(f"without {needs.renderer}")
    elif needs.renderer_version and not any(_at_least(v, needs.renderer_version) for v in versions):
        lacks.append(f"with a {needs.renderer} older than {needs.renderer_version}")
    if machine.vcpus < needs.vcpus:
        lacks.append(f"with fewer than {needs.vcpus} vCPUs")
    if machine.memory_gib < needs.memory_gib:
        lacks.append(f"with less than {needs.memory_gib:g} GiB")
    if machine.gpus < needs.gpus:
        lacks.append(f"with fewer than {needs.gpus} GPUs")
    missing = sorted(set(needs.tags) - machine.tags)
    if missing:
        lacks.append(f"without the tag {', '.join(missing)}")
    return tuple(lacks)


@dataclass(frozen=True)
class Room:
    """What is left of a machine while it works."""

    vcpus: float
    memory_gib: float
    gpus: int


def tasks_that_fit(needs: Needs, room: Room, *, want: int) -> int:
    """How many tasks of this kind fit into what is left, at most `want`.

    A task that asks for one vCPU asks for a slot and no more, so that a lease fetched ahead does not count.
    """
    fits = want
    if needs.vcpus > 1:
        fits = min(fits, int(room.vcpus // needs.vcpus))
    if fits * needs.memory_gib > room.memory_gib:
        fits = int(max(0.0, room.memory_gib) // needs.memory_gib)
    if needs.gpus > 0:
        fits = min(fits, room.gpus // needs.gpus)
    return max(0, fits)


def _at_least(version: str, wanted: str) -> bool:
    """Whether `version` is `wanted` or newer, by its first two numbers (a 4.2.3 opens what 4.2.9 saved)."""
    return _numbers(version) >= _numbers(wanted)


def _numbers(version: str) -> tuple[int, int]:
    major, minor, *_rest = [*version.split("."), "0", "0"]
    return int(major) if major.isdigit() else 0, int(minor) if minor.isdigit() else 0
