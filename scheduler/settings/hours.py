"""Hours of the week as people write them: `Mon-Fri 19:00-07:00`, `Sat-Sun`, `22:00-06:00`. And names of time zones."""

from __future__ import annotations

import difflib
import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
EXAMPLE = "write DAYS HH:MM-HH:MM, e.g. Mon-Fri 19:00-07:00, Sat-Sun or 22:00-06:00"


@dataclass(frozen=True, slots=True)
class Hours:
    """Days (0: Monday) with the minutes of the day from which and until which. `until` may lie on the day after."""

    days: frozenset[int]
    from_min: int
    until_min: int

    def hold(self, local: datetime) -> bool:
        """Is it within, on a clock of the place where the hours are meant?"""
        minute, day = local.hour * 60 + local.minute, local.weekday()
        today = day in self.days and self.from_min <= minute < self.until_min
        return today or ((day - 1) % 7 in self.days and minute < self.until_min - DAY_MIN)


def read_hours(text: str) -> Hours:
    """Hours as people write them. A span that ends at or before its beginning goes on into the next day.

    Raises:
        ValueError: it cannot be read; the message says how to write it.
    """
    found = re.fullmatch(
        r"(?:([^\W\d]+)(?:-([^\W\d]+))?)?\s*(?:(\d{1,2}:\d{2})-(\d{1,2}:\d{2}))?", text.strip().lower()
    )
    if not found or not text.strip():
        raise ValueError(f"{text!r} are no hours: {EXAMPLE}")
    first, last, begin, end = found.groups()
    days = _days(text, first, last or first)
    from_min, until_min = (_minute(text, begin), _minute(text, end)) if begin else (0, DAY_MIN)
    return Hours(days, from_min, until_min if until_min > from_min else until_min + DAY_MIN)


def within(hours: Iterable[str], local: datetime) -> bool:
    """Is it within any of them? Without hours it always is."""
    spans = [read_hours(each) for each in hours]
    return not spans or any(span.hold(local) for span in spans)


def checked_hours(hours: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The hours as they are.

    Raises:
        ValueError: some cannot be read.
    """
    for each in hours or ():
        read_hours(each)
    return hours


def known_zone(name: str | None) -> str | None:
    """The IANA name of a time zone as it is.

    Raises:
        ValueError: there is none of that name; the message names the nearest.
    """
    if name and name not in zoneinfo.available_timezones():
        near = difflib.get_close_matches(name, zoneinfo.available_timezones(), n=1)
        raise ValueError(f"there is no time zone {name!r}" + (f"; did you mean {near[0]!r}?" if near else ""))
    return name


def _days(text: str, first: str | None, last: str | None) -> frozenset[int]:
    if first is None or last is None:
        return frozenset(range(7))
    for name in (first, last):
        if name not in DAYS:
            raise ValueError(f"{name!r} in {text!r} is no day: {', '.join(day.title() for day in DAYS)}")
    start, count = DAYS.index(first), (DAYS.index(last) - DAYS.index(first)) % 7 + 1
    return frozenset((start + offset) % 7 for offset in range(count))


def _minute(text: str, clock: str) -> int:
    hour, minute = (int(part) for part in clock.split(":"))
    if hour > 24 or minute > 59 or hour * 60 + minute > DAY_MIN:
        raise ValueError(f"{clock!r} in {text!r} is no time of the day: {EXAMPLE}")
    return hour * 60 + minute
