"""The script that turns an instance into a worker, run by a real shell with stand-ins for what it calls."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scheduler.domain.start_up import Boot, start_up_script

BOOT = Boot("http://farm:8000", "ABC DEF'G", "burst", "1f", life_s=90.0)


def run(script: str, folder: Path, **environment: str) -> tuple[int, list[str]]:
    """Run it; returns its exit code and what the stand-ins for programs were called with."""
    told = folder / "told"
    for name in ("outfield", "shutdown", "poweroff"):
        stand_in = folder / name
        stand_in.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {told}\n'
            + (f'env | grep ^OUTFIELD_WORKER__ | sort >> {told}\nexit "${{EXIT:-0}}"\n' if name == "outfield" else "")
        )
        stand_in.chmod(0o755)
    path = folder / "start.sh"
    path.write_text(script)
    surroundings = {"PATH": f"{folder}:{os.environ['PATH']}", **environment}
    done = subprocess.run(["/bin/sh", str(path)], env=surroundings, timeout=20, check=False)
    return done.returncode, told.read_text().splitlines()


def test_it_starts_the_agent_with_what_it_needs_to_join(tmp_path: Path) -> None:
    code, told = run(start_up_script(BOOT), tmp_path, EXIT="3", OUTFIELD_INSTANCE="i-1")

    assert code == 3
    assert told == [
        "outfield worker",
        "OUTFIELD_WORKER__CLOUD=none",
        "OUTFIELD_WORKER__INSTANCE=i-1",
        "OUTFIELD_WORKER__INTENT=1f",
        "OUTFIELD_WORKER__JOIN=ABC DEF'G",
        "OUTFIELD_WORKER__LIFE_S=90",
        "OUTFIELD_WORKER__POOL=burst",
        "OUTFIELD_WORKER__SERVER=http://farm:8000",
    ]


def test_the_agent_learns_the_farms_authority_by_its_pin(tmp_path: Path) -> None:
    pin = "sha256:" + "0f" * 32
    _code, told = run(start_up_script(Boot("https://f", "J", "p", "1f", 90.0, ca_pin=pin)), tmp_path)

    assert f"OUTFIELD_WORKER__CA_PIN={pin}" in told


def test_a_machine_of_the_farms_own_is_turned_off_whatever_happens(tmp_path: Path) -> None:
    script = start_up_script(Boot("http://farm", "J", "p", "1f", 90.0, install="false", power_off=True))
    _code, told = run(script, tmp_path)
    calls = [line for line in told if not line.startswith("OUTFIELD")]

    assert calls == ["shutdown -P +2", "outfield worker", "shutdown -P now"]


def test_a_machine_that_is_to_stay_on_stays_on(tmp_path: Path) -> None:
    script = start_up_script(Boot("http://farm", "J", "p", "1f", 90.0, power_off=True))
    _code, told = run(script, tmp_path, OUTFIELD_KEEP_ON="1")

    assert not [line for line in told if line.startswith(("shutdown", "poweroff"))]


def test_the_agent_is_installed_first(tmp_path: Path) -> None:
    _code, told = run(start_up_script(Boot("http://f", "J", "p", "1f", 90.0, install="shutdown -c")), tmp_path)

    assert [line for line in told if not line.startswith("OUTFIELD")] == ["shutdown -c", "outfield worker"]


@pytest.mark.parametrize("text", ["$(reboot)", "`reboot`", "a; reboot", "'; reboot; '", "a\nreboot"])
def test_nothing_in_it_is_run_that_was_not_meant_to(text: str, tmp_path: Path) -> None:
    (tmp_path / "reboot").write_text(f"#!/bin/sh\necho reboot >> {tmp_path / 'told'}\n")
    (tmp_path / "reboot").chmod(0o755)
    _code, told = run(start_up_script(Boot(text, text, text, text, 90.0)), tmp_path)

    assert [line for line in told if line.startswith("reboot")] == []
