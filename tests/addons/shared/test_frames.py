"""Frame ranges are read in the add-on as the farm reads them: the same frames in the same order, or refused in both."""

from __future__ import annotations

import pytest
import shared_core  # noqa: F401 - makes outfield_core known
from hypothesis import given
from hypothesis import strategies as st
from outfield_core.frames import FrameSyntaxError, format_frames, missing_frames, parse_frames

from scheduler.domain import frames as farm

NUMBERS = st.integers(-60, 60)
STEPS = st.integers(-4, 70)


@st.composite
def parts(draw) -> str:
    """One part, mostly right."""
    first = draw(NUMBERS)
    kind = draw(st.sampled_from(["one", "span", "step", "odd"]))
    if kind == "one":
        return str(first)
    if kind == "odd":
        return draw(
            st.sampled_from(["", " ", "1.5", "1..5", "a", "1-", "-", "1-10x", "1:5", "1-9z2", "\t3", "٣", "2 - 4"])
        )
    span = f"{first}-{draw(NUMBERS)}"
    return span if kind == "span" else f"{span}{draw(st.sampled_from('xy:'))}{draw(STEPS)}"


@given(st.lists(parts(), max_size=5).map(",".join))
def test_the_farm_reads_it_just_so(text: str) -> None:
    try:
        expected = farm.parse_frames(text, frames_max=200)
    except farm.FrameSyntaxError:
        with pytest.raises(FrameSyntaxError):
            parse_frames(text, 200)
    else:
        assert parse_frames(text, 200) == expected


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=60))
def test_what_is_written_names_exactly_these_frames(frames: list[int]) -> None:
    written = format_frames(frames)

    assert sorted(parse_frames(written)) == sorted(set(frames))
    assert sorted(farm.parse_frames(written, frames_max=1000)) == sorted(set(frames))


@pytest.mark.parametrize(("text", "position"), [("1-10,x", 5), ("1.5", 1), ("1-10x0", 5), ("5,,99999999", 3)])
def test_the_fault_has_the_farms_position(text: str, position: int) -> None:
    with pytest.raises(FrameSyntaxError) as ours:
        parse_frames(text)
    with pytest.raises(farm.FrameSyntaxError) as theirs:
        farm.parse_frames(text, frames_max=100_000)

    assert ours.value.position == theirs.value.position == position


def test_a_hostile_range_is_refused_at_once() -> None:
    with pytest.raises(FrameSyntaxError, match="too many"):
        parse_frames("1-10000000")


def test_missing_frames_keep_their_order() -> None:
    assert missing_frames((1, 5, 3, 2), (5, 2)) == (1, 3)
