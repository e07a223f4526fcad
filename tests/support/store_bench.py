"""A store on trial, with transfers so small that trying them is quick, and a farm's storage on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from object_stores import BUCKET, REGION, FakeGcs, Weed

from scheduler.objects import gcs, s3
from scheduler.objects.copies import FetchedCopies
from scheduler.objects.local import LocalObjects
from scheduler.objects.opening import Storage
from scheduler.objects.port import ObjectStore, Transfer
from scheduler.objects.sealing import SealedObjects

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
    sealed: bool = False
    """Whether a farm on it seals its files."""

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

    def storage(self, data: Path) -> Storage | None:
        """What a farm with this data folder is given; None: it keeps its files there."""
        if self.kind == "local":
            return None
        if not self.sealed:
            return Storage(self.store, FetchedCopies(self.store, data / "copies", 2**30), None)
        sealed = SealedObjects(self.store, b"k" * 32, data / "sealing")
        return Storage(sealed, FetchedCopies(sealed, data / "copies", 2**30), None, sealed)


def local_bench(root: Path) -> Bench:
    """A folder."""
    return Bench("local", lambda _transfer: LocalObjects(root), lambda: [path.name for path in root.rglob("*.part")])


def s3_bench(server: Weed, prefix: str) -> Bench:
    """A place on a real S3 server."""
    client = _client(server.endpoint)
    bench = Bench(
        "s3",
        lambda transfer: s3.S3Objects(client, BUCKET, prefix, transfer),
        lambda: server.uploads(f"{prefix}/"),
    )

    def note(params: dict[str, Any], **_rest: Any) -> None:
        if prefix in params["url_path"]:
            bench.sent.append(params["url_path"])

    client.meta.events.register("before-call.s3.UploadPart", note)
    return bench


@cache
def _client(endpoint: str) -> Any:
    """One for all: boto3 reads its models for every new one."""
    return s3.make_client(endpoint, REGION, Transfer(1, SINGLE_MAX, 3))


def gcs_bench(server: FakeGcs, prefix: str) -> Bench:
    """A place on the stand-in of Google's."""

    class Counting(gcs.GcsObjects):
        """Notes the parts that are sent."""

        def _send(self, name: str, piece: Any, **conditions: Any) -> None:
            if ".parts/" in name:
                bench.sent.append(name)
            super()._send(name, piece, **conditions)

    client, _signing = gcs.make_client(server.gate.url)
    bench = Bench(
        "gcs", lambda transfer: Counting(client, BUCKET, prefix, transfer), lambda: server.uploads(f"{prefix}/")
    )
    return bench
