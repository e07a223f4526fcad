"""A small farm, a spool, a cache and a client for each test of the shared core."""

from __future__ import annotations

import pytest
import shared_core  # noqa: F401 - makes outfield_core known
from fake_farm import TOKEN, fake_farm
from outfield_core.client import Client
from outfield_core.hashing import HashCache
from outfield_core.spool import Spool


@pytest.fixture
def farm():
    """A farm that listens."""
    with fake_farm() as listening:
        yield listening


@pytest.fixture
def client(farm):
    """A client with a good token."""
    return Client(farm.url, TOKEN, timeout_s=5)


@pytest.fixture
def spool(tmp_path):
    """An empty spool."""
    return Spool(str(tmp_path / "spool"))


@pytest.fixture
def cache(tmp_path):
    """An empty cache of hashes."""
    return HashCache(str(tmp_path / "hashes.json"))
