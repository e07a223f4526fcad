"""What happens by the clock, and what workers elsewhere are told of where the scheduler is."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from farms import LooseFarm
from rented_farm import RentedFarm

from scheduler.bootstrap.running import MONEY_S, timetable
from scheduler.bootstrap.serving import told_url
from scheduler.settings import ServerSettings, Settings
from scheduler.tick import Tick


def intervals(farm: LooseFarm) -> dict[str, float]:
    """By name: how often each job of the timetable is done, in seconds."""
    timer = timetable(farm.services, Tick(farm.farm, farm.services.surveyor, farm.services.capper))
    return {job.name: job.trigger.interval.total_seconds() for job in timer.get_jobs()}


def test_pools_are_looked_at_and_money_is_counted(tmp_path: Path) -> None:
    farm = RentedFarm(tmp_path, budgets={"farm": {"usd": 1.0}})
    found = intervals(farm)
    look_s = farm.farm.settings.farm.look_s
    farm.close()

    assert found["Launcher.rounds"] == look_s == 10.0
    assert [seconds for name, seconds in found.items() if "count_money" in name] == [MONEY_S]


def test_a_farm_without_pools_or_budgets_does_neither(tmp_path: Path) -> None:
    farm = LooseFarm(tmp_path)
    found = intervals(farm)
    farm.close()

    assert not [name for name in found if "rounds" in name or "money" in name]


@pytest.mark.parametrize(
    ("host", "url", "told"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000", "http://127.0.0.1:8000"),
        ("0.0.0.0", "https://0.0.0.0:8443", f"https://{socket.gethostname()}:8443"),
        ("::", "http://[::]:8000", f"http://{socket.gethostname()}:8000"),
    ],
)
def test_a_scheduler_on_every_address_is_told_by_its_machines_name(host: str, url: str, told: str) -> None:
    assert told_url(url, Settings(server=ServerSettings(host=host))) == told
