"""Progress between Blender's rare words: it never falls, never stands still, never says done too early."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.blender.progress import Progress, parse_fraction, parse_remaining_s

LINE = "Fra:1 Mem:15.08M (Peak 15.08M) | Time:00:00.29 | Remaining:00:09.56 | Mem:2M | Scene, ViewLayer | Sample 1/64"


@pytest.mark.parametrize(
    ("line", "fraction", "remaining_s"),
    [
        (LINE, 1 / 64, 9.56),
        ("Fra:7 | Time:01:00:00.29 | Remaining:01:02:03.50 | Sample 32/64", 0.5, 3723.5),
        ("Fra:1 Mem:1M | Time:00:03.11 | Rendering 26 / 64 samples", 26 / 64, None),
        ("Mem: 4M | Sample 16/16", 1.0, None),
        ("Saved: '/x/Sample/0001.png'", None, None),
        ("Sample 0/0", None, None),
    ],
)
def test_what_blender_says(line: str, fraction: float | None, remaining_s: float | None) -> None:
    assert parse_fraction(line) == fraction
    assert parse_remaining_s(line) == remaining_s


def test_a_long_frame_moves_between_two_reports() -> None:
    """A render of 72 s was seen to report samples 0, 1, 257 (at 54 s) and 300 of 300."""
    progress = Progress(1, 0.0)
    progress.begin(1, 0.0)
    progress.line("Sample 0/300", 0.1)
    progress.line("Remaining:01:11.00 | Sample 1/300", 0.5)
    seen = [progress.fraction(float(second)) for second in range(1, 54)]
    assert all(later - earlier > 0.002 for earlier, later in pairwise(seen))
    assert 0.4 < seen[-1] < 0.7
    progress.line("Remaining:00:09.00 | Sample 257/300", 54.0)
    assert progress.fraction(54.0) == pytest.approx(257 / 300)
    assert progress.fraction(500.0) < 1.0
    progress.end(72.0)
    assert progress.fraction(72.0) == 1.0


def test_what_a_frame_took_is_expected_of_the_next() -> None:
    progress = Progress(2, 0.0)
    progress.begin(1, 0.0)
    progress.end(10.0)
    assert progress.frame_s() == pytest.approx(10.0)
    progress.begin(2, 10.0)
    assert 0.6 < progress.fraction(15.0) < 0.9
    assert Progress(1, 0.0, expected_s=10.0).fraction(5.0) == pytest.approx(0.39, abs=0.01)


EVENTS = st.lists(
    st.tuples(st.sampled_from(["begin", "end", "line", "look"]), st.integers(0, 64), st.floats(0, 60)), max_size=60
)


@given(EVENTS, st.integers(1, 5), st.floats(0, 0.9))
def test_it_never_falls_and_stays_within_bounds(
    events: list[tuple[str, int, float]], frames: int, floor: float
) -> None:
    progress = Progress(frames, 0.0, floor=floor)
    now, before, ends = 0.0, 0.0, 0
    for event, number, passed_s in events:
        now += passed_s
        if event == "begin":
            progress.begin(number, now)
        elif event == "end" and ends < frames:
            progress.end(now)
            ends += 1
        elif event == "line":
            progress.line(f"Remaining:00:{passed_s:05.2f} | Sample {number}/64", now)
        found = progress.fraction(now)
        assert before <= found <= 1.0
        assert found < 1.0 or ends == frames
        before = found
