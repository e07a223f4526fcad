"""Small things that verbs say and understand: numbers, times, ranges, tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.cli.coercion import convert, plain_type
from scheduler.cli.frames import ranges
from scheduler.cli.hashing import written_whole
from scheduler.cli.times import ago, duration, parse_time
from scheduler.cli.tokens import TokenRole
from scheduler.domain.frames import parse_frames

NOW = datetime(2026, 1, 10, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("annotation", "found"),
    [
        (str, (str, False)),
        (int | None, (int, False)),
        (list[Path] | None, (Path, True)),
        (TokenRole, (TokenRole, False)),
        (dict[str, str], None),
        (int | str, None),
    ],
)
def test_plain_types_are_known(annotation: object, found: object) -> None:
    assert plain_type(annotation) == found


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [("7", int, 7), ("0.5", float, 0.5), ("yes", bool, True), ("off", bool, False), ("a/b", Path, Path("a/b"))],
)
def test_texts_become_values(text: str, kind: type, value: object) -> None:
    assert convert(text, kind) == value


@given(st.text(), st.sampled_from([int, float, bool, Path, str, TokenRole]))
def test_any_text_is_a_value_or_a_sentence(text: str, kind: type) -> None:
    try:
        found = convert(text, kind)
    except ValueError as error:
        found = str(error)

    assert isinstance(found, kind) or found.endswith(".")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "60 min"), (7200, "2 h"), (90_000, "25 h"), (200_000, "2 d")],
)
def test_durations_are_told_in_the_largest_fitting_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_times_are_told_from_now() -> None:
    assert ago("2026-01-10T11:55:00.000Z", NOW) == "5 min ago"
    assert ago(None, NOW) == ""
    assert ago("soon", NOW) == ""
    assert "2025-12" in ago("2025-12-15T12:00:00Z", NOW)
    assert parse_time("2026-01-10T11:55:00") == NOW - timedelta(minutes=5)


@given(st.sets(st.integers(-500, 500), min_size=1))
def test_ranges_say_exactly_these_frames(numbers: set[int]) -> None:
    assert set(parse_frames(ranges(list(numbers)), frames_max=2000)) == numbers


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a"

    def fail_half_way() -> None:
        with written_whole(target) as file:
            file.write(b"half")
            raise OSError("the line went dead")

    with pytest.raises(OSError, match="dead"):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []

    with written_whole(target) as file:
        file.write(b"whole")
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]
