"""What the tests of the worker share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from fake_scheduler import FakeScheduler


@pytest.fixture
def fake() -> Iterator[FakeScheduler]:
    with FakeScheduler() as scheduler:
        yield scheduler
