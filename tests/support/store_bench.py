"""A store on trial, and transfers so small that trying them is quick."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from scheduler.objects.port import ObjectStore, Transfer

KIB = 1024
SINGLE_MAX = 64 * KIB
PART_BYTES = {"local": 256 * KIB, "s3": 5 * KIB * KIB, "gcs": 256 * KIB}
"""The smallest parts that a test may use: S3 takes none below 5 MiB but the last."""


@dataclass
class Bench:
    """A store on trial: `make` opens it anew, `uploads` lists broken uploads, `sent` the parts that were sent."""

    kind: str
    make: Callable[[Transfer], ObjectStore]
    uploads: Callable[[], list[str]]
    sent: list[str] = field(default_factory=list)

    @property
    def part(self) -> int:
        """Bytes of a part."""
        return PART_BYTES[self.kind]

    @cached_property
    def store(self) -> ObjectStore:
        """The store with small parts."""
        return self.another()

    def another(self) -> ObjectStore:
        """The same place, as another scheduler would open it."""
        return self.make(Transfer(self.part, SINGLE_MAX, parallel=3))
