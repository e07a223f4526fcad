"""What every test run shares: where Numba caches, how hypothesis searches, which tests share a process.

The search is bounded and the same on every machine; `--hypothesis-profile=thorough` looks further, at random.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

ROOT = Path(__file__).resolve().parents[1]

# Set before anything imports numba: compiled kernels are shared by every test process, and by the next run.
os.environ.setdefault("NUMBA_CACHE_DIR", str(ROOT / ".cache" / "numba"))

settings.register_profile(
    "bounded",
    derandomize=True,
    deadline=None,
    max_examples=60,
    stateful_step_count=40,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", deadline=None, max_examples=2000, stateful_step_count=100)
settings.load_profile("bounded")


class QueueScheduling(LoadScopeScheduling):
    """Tests of a file stay together, so that module fixtures start once; real processes have one queue for all.

    Two farms side by side on two cores starve each other, and a test that waits for a lease then fails for no fault
    of the farm's. So everything under tests/e2e, and every file with tests marked `processes`, runs in one xdist
    worker; so do the files that import Google's client, which takes seconds. `--dist loadgroup` would do it by marks,
    but xdist 3.8 cannot write its groups into the test ids of pytest 9.2.
    """

    def _split_scope(self, nodeid: str) -> str:
        return queue_of(nodeid.partition("::")[0])


@cache
def queue_of(file: str) -> str:
    """The queue that a file's tests run in: `processes`, `gce`, or one of their own."""
    text = (ROOT / file).read_text(encoding="utf-8")
    if file.startswith("tests/e2e/") or "mark.processes" in text:
        return "processes"
    return "gce" if "mark.gce_client" in text else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> QueueScheduling:
    """xdist's call: who hands out the tests."""
    return QueueScheduling(config, log)
