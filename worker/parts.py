"""What the worker's threads share: the parts that they work with, and how the main loop is told something."""

from __future__ import annotations

import queue
from dataclasses import dataclass, field
from enum import Enum

from scheduler.protocol.work import Lease
from worker.cache import ResourceCache
from worker.clock import Clock
from worker.cloud.notices import Notice
from worker.journal import Journal
from worker.logs import LogShipper
from worker.runners.registry import RunnerRegistry
from worker.scratch import Scratch
from worker.telemetry import ProgressBoard
from worker.wiping import Wiper


class Command(Enum):
    """What the main loop is told from outside its thread. A queue carries it, because signal handlers may use one."""

    LEAVE = "leave"
    ORPHANED = "orphaned"
    UNKNOWN = "unknown"
    BROKEN = "broken"
    WAKE = "wake"


Inbox = queue.SimpleQueue[Command | Notice]


@dataclass(frozen=True)
class Parts:
    """What a worker works with; made by `worker.bootstrap`.

    What the leases in `to_fetch` need is fetched ahead; None ends that.
    """

    clock: Clock
    inbox: Inbox
    scratch: Scratch
    journal: Journal
    registry: RunnerRegistry
    cache: ResourceCache
    logs: LogShipper
    progress: ProgressBoard
    wiper: Wiper | None = None
    to_fetch: queue.SimpleQueue[Lease | None] = field(default_factory=queue.SimpleQueue[Lease | None])
