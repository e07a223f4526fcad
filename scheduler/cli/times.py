"""Times for people: how long ago, how long it took. Programs get ISO 8601 with `--json`."""

from __future__ import annotations

from datetime import UTC, datetime

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86_400


def ago(at: str | None, now: datetime) -> str:
    """`2026-01-01T12:00:00Z` as `5 min ago`; older than a week as the date. Empty for None or what is no time."""
    moment = parse_time(at)
    if moment is None:
        return ""
    seconds = (now - moment).total_seconds()
    if seconds < 0 or seconds > 7 * DAY_S:
        return moment.astimezone().strftime("%Y-%m-%d %H:%M")
    return f"{duration(seconds)} ago"


def duration(seconds: float) -> str:
    """Seconds as the largest unit that fits: `8 s`, `5 min`, `3 h`, `2 d`."""
    for unit_s, name in ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if seconds >= 2 * unit_s or (name == "min" and seconds >= unit_s):
            return f"{int(seconds // unit_s)} {name}"
    return f"{int(seconds)} s"


def parse_time(text: str | None) -> datetime | None:
    """An ISO 8601 time; without an offset it is UTC. None for None or what is no time."""
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
