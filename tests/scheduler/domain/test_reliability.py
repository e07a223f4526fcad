"""How far a worker can be relied on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.reliability import reliability

counts = st.integers(0, 10**6)


def test_a_new_worker_is_trusted_but_not_blindly():
    assert reliability(0, 0) == pytest.approx(0.95)


def test_history_outweighs_the_prior():
    assert reliability(1000, 1000) == pytest.approx(0.5, abs=0.01)
    assert reliability(0, 1) > 0.9


@given(counts, counts)
def test_success_raises_it_and_failure_lowers_it(succeeded, failed):
    assert 0.0 < reliability(succeeded, failed) < 1.0
    assert reliability(succeeded + 1, failed) > reliability(succeeded, failed) > reliability(succeeded, failed + 1)
