"""Traces on the wire: what a farm was asked to do and with which machines, one JSON object a line.

The first line describes the farm, every other line is a worker or a job. All times are seconds since the trace's second
0 (`origin`), all task times seconds on the reference machine (rating 1.0). Reading and checking a whole trace is
`scheduler.simulation.traces`'; a field that is not known is refused, so that a typing error never passes for a default.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

FORMAT = "outfield-trace"
VERSION = 1
MEDIA_TYPE = "application/x-ndjson"
HOME = "onprem"
"""The studio's own pool."""

WORKERS_MAX = 200_000
"""Workers of one trace."""

Seconds = Annotated[float, Meta(ge=0, le=1e10)]
Name = Annotated[str, Meta(min_length=1, max_length=1024)]
Priority = Annotated[int, Meta(ge=0, le=100)]


class MachineSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a worker's machine has. `rating` is its power; the reference machine has 1.0. No renderers: it has all."""

    slots: Annotated[int, Meta(ge=1, le=4096)] = 1
    vcpus: Annotated[int, Meta(ge=1, le=4096)] = 8
    memory_gib: Annotated[float, Meta(ge=0)] = 32.0
    gpus: Annotated[int, Meta(ge=0, le=64)] = 0
    tags: tuple[str, ...] = ()
    renderers: dict[str, tuple[str, ...]] = {}
    rating: Annotated[float, Meta(gt=0, le=1000)] = 1.0


class PoolSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A pool: its price, and the workers that appear in it (`machine`) as `autoscale` says, at most `workers_max`.

    `workers_kept` is what `static` keeps and `twostate` goes up to (None: `workers_max`). `billing_s` is the unit that
    is paid for even if only begun, `transfer_s` the time from a worker's first request until it has its first scene,
    `loss_per_hour` the chance that a worker is taken back within an hour, `life_s` the longest life of one (None: no
    limit, or six hours where there is a budget).
    """

    name: Name
    backend: str = ""
    tags: tuple[str, ...] = ()
    price_usd_per_hour: Annotated[float, Meta(ge=0)] = 0.0
    workers_max: Annotated[int, Meta(ge=0, le=WORKERS_MAX)] = 0
    boot_s: Seconds = 120.0
    idle_s: Seconds = 300.0
    machine: MachineSpec | None = None
    autoscale: Literal["none", "static", "twostate", "demand", "deadline"] = "demand"
    workers_min: Annotated[int, Meta(ge=0, le=WORKERS_MAX)] = 0
    workers_kept: Annotated[int, Meta(ge=0, le=WORKERS_MAX)] | None = None
    billing_s: Annotated[float, Meta(ge=1, le=1e7)] = 1.0
    transfer_s: Seconds = 0.0
    life_s: Annotated[float, Meta(ge=30, le=1e10)] | None = None
    loss_per_hour: Annotated[float, Meta(ge=0, lt=1)] = 0.0


class FarmLine(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="farm"):
    """The first line. `origin` is the wall time of second 0 in ISO 8601; rules about day and night need it.

    `budget_usd` is what may be spent on launched workers in all of the trace; None: no bound.
    """

    format: Literal["outfield-trace"]
    version: int
    origin: str | None = None
    name: str = ""
    pools: tuple[PoolSpec, ...] = ()
    budget_usd: Annotated[float, Meta(ge=0)] | None = None


class WorkerLine(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="worker"):
    """A worker, or `count` equal ones, from `joined_s` until `left_s` (None: to the end)."""

    worker: Name
    pool: Name = HOME
    count: Annotated[int, Meta(ge=1, le=WORKERS_MAX)] = 1
    joined_s: Seconds = 0.0
    left_s: Seconds | None = None
    machine: MachineSpec = MachineSpec()


class Change(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What production or a person changed later; what is None stays as it was."""

    at_s: Seconds
    priority: Priority | None = None
    deadline_s: Annotated[float, Meta(ge=-1e10, le=1e10)] | None = None
    hold: bool | None = None


class RequiresSpec(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What a task of the job needs."""

    vcpus: Annotated[int, Meta(ge=1)] = 1
    memory_gib: Annotated[float, Meta(ge=0)] = 0.0
    gpus: Annotated[int, Meta(ge=0)] = 0
    tags: tuple[str, ...] = ()


class JobLine(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="kind", tag="job"):
    """A job. `seconds` holds one list per step, one time per task in the order of the split; None: it never ran."""

    job: Name
    submitted_s: Seconds
    seconds: tuple[tuple[Seconds | None, ...], ...]
    name: str = ""
    project: str = ""
    shot: str = ""
    owner: str = ""
    priority: Priority = 50
    boost: Annotated[float, Meta(ge=0, le=100)] = 0.0
    deadline_s: Annotated[float, Meta(ge=-1e10, le=1e10)] | None = None
    renderer: str = "kernel"
    renderer_version: str = ""
    scene: str = ""
    frame_count: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    chunk: Annotated[int, Meta(ge=1, le=1_000_000)] = 1
    tiles: tuple[Annotated[int, Meta(ge=1)], Annotated[int, Meta(ge=1)]] | None = None
    samples: Annotated[int, Meta(ge=1, le=4096)] | None = None
    requires: RequiresSpec = RequiresSpec()
    cloud: Literal["allow", "prefer", "never"] = "allow"
    cost_cap_usd: Annotated[float, Meta(ge=0)] | None = None
    pools: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    max_attempts: Annotated[int, Meta(ge=1, le=100)] = 3
    changes: tuple[Change, ...] = ()
    canceled_s: Seconds | None = None


Line = FarmLine | WorkerLine | JobLine

_ENCODER = msgspec.json.Encoder()


def new_farm(pools: tuple[PoolSpec, ...], *, origin: str | None = None, name: str = "") -> FarmLine:
    """A first line of this version."""
    return FarmLine(format=FORMAT, version=VERSION, origin=origin, name=name, pools=pools)


def write_line(line: Line) -> bytes:
    """One line with its line feed; what has its default is left out."""
    return _ENCODER.encode(line) + b"\n"
