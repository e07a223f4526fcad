"""Fixtures of the object stores, for the conftests of the rooms whose tests need them: one of each per process."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from object_stores import CREDENTIALS, FakeGcs, Weed, started
from store_bench import Bench, gcs_bench, local_bench, s3_bench


@pytest.fixture(scope="session")
def weed() -> Iterator[Weed]:
    """A real S3 server."""
    with pytest.MonkeyPatch.context() as patch, started(Weed) as store:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        yield store


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[FakeGcs]:
    """A stand-in of Google's."""
    with started(FakeGcs) as store:
        yield store


@pytest.fixture(params=["local", "s3", "gcs"])
def bench(request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
    """Each store in turn, below a prefix of the test's own."""
    prefix = f"studio/{uuid.uuid4().hex}"
    if request.param == "local":
        return local_bench(tmp_path / "objects")
    if request.param == "s3":
        return s3_bench(request.getfixturevalue("weed"), prefix)
    return gcs_bench(request.getfixturevalue("fake_gcs"), prefix)
