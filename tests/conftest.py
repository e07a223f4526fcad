"""What every test run shares: where Numba caches, how hypothesis searches, which tests share a process.

The search is bounded and the same on every machine; `--hypothesis-profile=thorough` looks further, at random.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, so that module fixtures start once; keep real processes in one queue.

    Two farms side by side on two cores starve each other, and a test that waits for a lease then fails for no fault
    of the farm's. So everything under tests/e2e, and every test marked `processes`, runs in one xdist worker.
    """
    for item in items:
        if any(item.iter_markers("xdist_group")):
            continue
        folder = item.path.relative_to(ROOT / "tests").parts[0]
        alone = folder == "e2e" or item.get_closest_marker("processes") is not None
        item.add_marker(pytest.mark.xdist_group("processes" if alone else str(item.path)))
