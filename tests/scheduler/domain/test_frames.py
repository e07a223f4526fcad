"""Frame ranges: what artists write, what they mistype, and what nobody should get away with."""

from __future__ import annotations

import pytest
from fileseq import FrameSet
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.frames import FrameSyntaxError, format_frames, parse_frames, previews_first


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1", (1,)),
        ("1-5", (1, 2, 3, 4, 5)),
        ("1-10x2", (1, 3, 5, 7, 9)),
        ("1-10x2,150", (1, 3, 5, 7, 9, 150)),
        ("1-6:3", (1, 4, 3, 5, 2, 6)),
        ("1-10y3", (2, 3, 5, 6, 8, 9)),
        ("10-8", (10, 9, 8)),
        ("10-1x-3", (10, 7, 4, 1)),
        ("-3--1", (-3, -2, -1)),
        ("-1-1", (-1, 0, 1)),
        ("3,1,3,2", (3, 1, 2)),
        (" 1 - 3 , 5", (1, 2, 3, 5)),
        ("0001-0003", (1, 2, 3)),
    ],
)
def test_what_artists_write(text, expected):
    frames = parse_frames(text, frames_max=1000)
    if ":" in text:
        assert sorted(frames) == sorted(set(expected))
        assert frames == tuple(int(frame) for frame in FrameSet(text))
    else:
        assert frames == expected


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("   ", 0),
        ("a", 0),
        ("1-", 0),
        ("1-5;7", 3),
        ("1..5", 1),
        ("1.5", 1),
        ("1-3,x", 4),
        ("1-10x0", 5),
        ("1-10x-2", 5),
        ("1,2,3-9z2", 7),
        ("١-٣", 0),
        ("99999999999", 0),
    ],
)
def test_faults_are_told_with_their_position(text, position):
    with pytest.raises(FrameSyntaxError) as error:
        parse_frames(text, frames_max=1000)
    assert error.value.position == position


@pytest.mark.parametrize("text", ["1-2000", "1-1001", "1-9999999,-9999999--1", ",".join(["1-500"] * 3 + ["501-1001"])])
def test_too_many_frames_are_refused_without_expanding_them(text):
    with pytest.raises(FrameSyntaxError, match="too many"):
        parse_frames(text, frames_max=1000)


def attempt(text, *, frames_max):
    try:
        return parse_frames(text, frames_max=frames_max), None
    except FrameSyntaxError as error:
        return (), error


@given(st.text(max_size=60))
def test_any_text_is_frames_or_a_clear_fault(text):
    frames, fault = attempt(text, frames_max=500)
    if fault is not None:
        assert 0 <= fault.position <= max(0, len(text))
    else:
        assert 0 < len(frames) <= 500
        assert len(set(frames)) == len(frames)


@given(st.text(alphabet="0123456789-xy:, ", max_size=24))
def test_near_misses_never_escape(text):
    frames, fault = attempt(text, frames_max=2000)
    assert frames or fault


@given(st.lists(st.integers(-5000, 5000), min_size=1, max_size=200, unique=True))
def test_formatting_is_the_inverse(frames):
    assert sorted(parse_frames(format_frames(frames), frames_max=20_000)) == sorted(frames)


@given(st.lists(st.integers(0, 500), min_size=1, max_size=50, unique=True))
def test_previews_first_keeps_every_frame(frames):
    ordered = previews_first(frames)
    assert sorted(ordered) == sorted(frames)
    if len(frames) >= 3:
        middle = sorted(frames)[len(frames) // 2]
        assert set(ordered[:3]) == {min(frames), max(frames), middle}
