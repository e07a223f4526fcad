"""The stores that the port's behaviour is tried on, with a prefix of its own per test."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
from object_stores import BUCKET, REGION, FakeGcs, Weed
from store_bench import SINGLE_MAX, Bench
from store_fixtures import fake_gcs, weed  # noqa: F401

from scheduler.objects import gcs, s3
from scheduler.objects.local import LocalObjects
from scheduler.objects.port import Transfer


@pytest.fixture(params=["local", "s3", "gcs"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Each store in turn."""
    prefix = f"studio/{uuid.uuid4().hex}"
    if request.param == "local":
        root = tmp_path / "objects"
        return Bench(
            "local", lambda _transfer: LocalObjects(root), lambda: [path.name for path in root.rglob("*.part")]
        )
    if request.param == "s3":
        return s3_bench(request.getfixturevalue("weed"), prefix)
    return gcs_bench(request.getfixturevalue("fake_gcs"), prefix)


def s3_bench(server: Weed, prefix: str) -> Bench:
    """A place on a real S3 server."""
    client = s3.make_client(server.endpoint, REGION, Transfer(1, SINGLE_MAX, 3))
    bench = Bench(
        "s3",
        lambda transfer: s3.S3Objects(client, BUCKET, prefix, transfer),
        lambda: server.uploads(f"{prefix}/"),
    )
    client.meta.events.register("before-call.s3.UploadPart", lambda params, **_: bench.sent.append(params["url_path"]))
    return bench


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
