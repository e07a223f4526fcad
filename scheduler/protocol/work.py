"""The worker's hot road: one call, `POST /workers/{id}/sync`, is heartbeat, report and request for work.

msgspec structs, because this is the one road where decoding time counts (a 16-task exchange decodes in 19 µs against
150 µs with pydantic). They are exposed to OpenAPI through `msgspec.json.schema_components`.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

FailureClass = Literal["user", "infra", "licence", "preempted", "lost"]
"""Whose fault a failure is; only `user` spends the job's `max_attempts`."""

WorkKind = Literal["render", "merge"]
OutputKind = Literal["frame", "partial", "checkpoint"]
"""A `checkpoint` is what a task that was stopped half-way has so far; the next attempt goes on from it."""

Outcome = Literal["done", "failed", "returned"]

DIRECT_HEADER = "X-Outfield-Direct"
"""With this header a worker says that it will follow a redirect to the farm's object store."""

SEAL_HEADER = "X-Outfield-Seal"
"""With this header of a redirect the scheduler hands over the key (hex) that opens the object it leads to."""

MAX_REPORTS = 256
"""Reports that one sync may carry."""


class Tile(msgspec.Struct, frozen=True):
    """One tile of a frame: column and row counted from the top left, of `cols` × `rows`.

    Its pixels are x in [col*W//cols, (col+1)*W//cols), y in [row*H//rows, (row+1)*H//rows) for a frame of W×H.
    """

    col: int
    row: int
    cols: int
    rows: int


class SampleSlice(msgspec.Struct, frozen=True):
    """Slice `index` of `count`: samples [index*S//count, (index+1)*S//count) of the S samples of each pixel."""

    index: int
    count: int


class Scene(msgspec.Struct, frozen=True):
    """Where a worker finds the scene.

    `path` is a file that the worker can see; `blob` the SHA-256 of a single file in the farm's storage, `name` its
    file name; `archive` the SHA-256 of a zip, `bundle` that of a manifest (`scheduler.protocol.bundles`), `name` the
    scene's path inside of either. All empty: the built-in scene.
    `version` is the version of the program that saved it, e.g. "4.2" (empty when unknown), and `trusted` says that
    the farm allows the scene's own scripts to run. `blob_size` in bytes (of the blob, the archive, or all the bundle's
    files).
    """

    path: str = ""
    blob: str = ""
    archive: str = ""
    bundle: str = ""
    name: str = ""
    version: str = ""
    trusted: bool = False
    blob_size: int = 0


class Input(msgspec.Struct, frozen=True):
    """A partial that a merge reads: a blob, and what its producer said of it."""

    hash: str
    size: int
    name: str
    meta: dict[str, Any]


class Lease(msgspec.Struct, omit_defaults=True):
    """The right to execute one task, and everything that is needed to do so."""

    task: int
    attempt: int
    secret: str
    job: str
    kind: WorkKind
    renderer: str
    frames: list[int]
    format: str
    settings: dict[str, Any]
    scene: Scene
    tile: Tile | None = None
    slice: SampleSlice | None = None
    inputs: list[Input] = []
    final: bool = True
    """For a merge: does it make the frame (True) or a partial for the next level (False)?"""
    partial: bool = False
    """For a render: is the output a partial for a merge (True) or the frame itself (False)?"""
    resume: Input | None = None
    """What an earlier attempt has saved of the task; a worker that cannot use it begins anew."""
    timeout_s: float = 3600.0
    lease_s: float = 20.0
    direct: bool = False
    """May the worker ask for a signed URL and put its files into the farm's store itself?"""
    seal: str = ""
    """The key (hex) that those files are sealed with on the way; empty: they are not."""
    priority: int = 50
    name: str = ""
    """The job's name, for logs."""


class Running(msgspec.Struct, omit_defaults=True):
    """A task that a worker says it is working on; naming it renews its lease."""

    task: int
    attempt: int
    progress: float = 0.0
    note: str = ""


class OutputFile(msgspec.Struct, omit_defaults=True):
    """A file that an attempt has staged: SHA-256 `hash` in hex, `size` in bytes."""

    name: str
    size: int
    hash: str
    kind: OutputKind = "frame"
    frame: int | None = None
    meta: dict[str, Any] = {}


class Report(msgspec.Struct, omit_defaults=True):
    """How an attempt ended. `returned` hands the lease back unharmed (drain, shutdown, pre-emption), with a checkpoint
    among `files` where there is one."""

    task: int
    attempt: int
    secret: str
    outcome: Outcome
    files: list[OutputFile] = []
    failure: FailureClass = "user"
    message: str = ""
    exit_code: int | None = None
    seconds: float = 0.0
    retry_after_s: float = 0.0


class SyncRequest(msgspec.Struct, omit_defaults=True):
    """What a worker says: what runs, what has ended, how many more tasks it would take, how long it will wait."""

    running: list[Running] = []
    reports: list[Report] = []
    want: int = 0
    cached: list[str] = []
    load: float = 0.0
    wait_s: float = 0.0
    warm: list[str] = []
    """Jobs whose scene the worker has open in a renderer process."""

    blocked: str = ""
    """Why the worker takes no work at present, in words for people (its disk is full); empty: it does."""

    leaving: str = ""
    """Why the worker is about to go for good, in words for people (the provider takes the machine back)."""


class Ack(msgspec.Struct, omit_defaults=True):
    """Answer to one report: 200 taken, 202 taken and being verified, 409 `stale_attempt`."""

    task: int
    attempt: int
    status: int
    code: str = ""


class TaskRef(msgspec.Struct, frozen=True):
    """One attempt of one task."""

    task: int
    attempt: int


class SyncReply(msgspec.Struct):
    """What the scheduler answers: new leases, work to stop, and when to call again."""

    leases: list[Lease]
    cancel: list[TaskRef]
    drain: bool
    next_sync_s: float
    acks: list[Ack]


class SyncEnvelope(msgspec.Struct):
    """The reply as it travels, in the envelope that every JSON response has."""

    data: SyncReply
    message: str
