"""Hours of the week: how they are written, and what they mean."""

from __future__ import annotations

from datetime import datetime

import pytest

from scheduler.errors import Refused
from scheduler.settings import load_settings
from scheduler.settings.hours import read_hours, within


def at(text: str) -> datetime:
    """A moment of the week that begins on Monday, 5 January 2026: `Mon 19:00`."""
    day, clock = text.split()
    number = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"].index(day) + 5
    return datetime.fromisoformat(f"2026-01-{number:02d}T{clock}")


@pytest.mark.parametrize(
    ("hours", "yes", "no"),
    [
        ("Mon-Fri 19:00-07:00", ["Mon 19:00", "Tue 06:59", "Sat 06:59"], ["Mon 18:59", "Tue 07:00", "Mon 03:00"]),
        ("Sat-Sun", ["Sat 00:00", "Sun 23:59"], ["Fri 23:59", "Mon 00:00"]),
        ("22:00-06:00", ["Wed 22:00", "Thu 05:59"], ["Wed 21:59", "Thu 06:00"]),
        ("Fri-Mon 12:00-13:00", ["Fri 12:00", "Sun 12:59", "Mon 12:30"], ["Tue 12:30", "Fri 13:00"]),
        ("wed 00:00-24:00", ["Wed 00:00", "Wed 23:59"], ["Thu 00:00"]),
        ("Sun 23:00-01:00", ["Sun 23:30", "Mon 00:30"], ["Sun 00:30", "Mon 23:30"]),
        ("Tue 08:00-08:00", ["Tue 08:00", "Wed 07:59"], ["Tue 07:59", "Wed 08:00"]),
    ],
)
def test_what_hours_mean(hours: str, yes: list[str], no: list[str]) -> None:
    assert [moment for moment in yes if not within([hours], at(moment))] == []
    assert [moment for moment in no if within([hours], at(moment))] == []


def test_several_add_up_and_none_is_always() -> None:
    assert within(["Mon 10:00-11:00", "Sun"], at("Sun 12:00"))
    assert within([], at("Wed 03:00"))


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "no hours"), ("Mon-Fri 19-07", "no hours"), ("Mo-Fr", "no day"), ("25:00-07:00", "no time of the day"),
     ("24:01-07:00", "no time of the day"), ("Mon-", "no hours")],
)  # fmt: skip
def test_what_cannot_be_read_says_how_to_write_it(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read_hours(text)


MACHINE = '{name = "a", mac = "01:23:45:67:89:ab", address = "a.example"}'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('hours = ["Mon-Frei"]', "pools.p.hours.*no day"),
        ('time_zone = "Europe/Berln"', "Europe/Berlin"),
        (f"machines = [{MACHINE}, {MACHINE}]", "two machines"),
        ('machines = [{name = "a", mac = "01:23", address = "a"}]', "pools.p.machines.0.mac"),
        ('machines = [{name = "a", mac = "01:23:45:67:89:ab", address = "a", hours = ["x"]}]', "no day"),
    ],
)
def test_wrong_settings_of_machines_are_refused(tmp_path, text: str, words: str) -> None:
    (tmp_path / "outfield.toml").write_text(f"[pools.p]\n{text}\n")
    with pytest.raises(Refused, match=words):
        load_settings(file=tmp_path / "outfield.toml", environment={})
