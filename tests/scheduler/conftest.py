"""Databases for what has to hold on both kinds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from postgres import Cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """One PostgreSQL server; `url()` makes a new, empty database on it."""
    made = Cluster()
    yield made
    made.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """The URL of an empty database: None for SQLite in the data folder, then one of PostgreSQL."""
    return request.getfixturevalue("cluster").url() if request.param == "postgresql" else None
