"""Fixtures of the object stores, for the conftests of the rooms whose tests need them: one of each per process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from object_stores import CREDENTIALS, FakeGcs, Weed, started


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
