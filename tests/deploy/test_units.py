"""The systemd units: accepted by systemd itself, and as closed as they can be."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import components
import pytest
import source_tree

from scheduler.deploying.scheduler_script import SchedulerBoot, scheduler_script

FOLDER = source_tree.ROOT / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
EXPOSURE_MAX = {"outfield-scheduler.service": 20, "outfield-worker.service": 35}
"""Ten times what `systemd-analyze security` may say: below 2 for the scheduler, 3.5 for renderers, which need devices
and compile code. An ordinary service has 9.6."""


def options(unit: Path) -> dict[str, list[str]]:
    """All values of each key of [Service]."""
    found: dict[str, list[str]] = {}
    section = unit.read_text().partition("\n[Service]\n")[2].partition("\n[")[0]
    for line in section.splitlines():
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units with a program that exists."""
    program = tmp_path / "outfield"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/outfield/bin/outfield", str(program)))
    return tmp_path


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_accepts_it(unit: Path, installed: Path) -> None:
    analyze = components.require("systemd-analyze")
    done = subprocess.run(
        [analyze, "verify", str(installed / unit.name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.strip() == ""
    assert done.returncode == 0


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_is_closed(unit: Path, installed: Path) -> None:
    analyze = components.require("systemd-analyze")
    words = ["security", "--offline=true", f"--threshold={EXPOSURE_MAX[unit.name]}", str(installed / unit.name)]
    done = subprocess.run([analyze, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout[-400:]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_it_runs_as_nobody_in_particular_and_comes_back(unit: Path) -> None:
    said = options(unit)
    wanted = {
        "DynamicUser": "yes", "ProtectSystem": "strict", "NoNewPrivileges": "yes", "Restart": "on-failure",
        "PrivateTmp": "yes", "CapabilityBoundingSet": "",
    }  # fmt: skip
    assert {key: said[key][-1] for key in wanted} == wanted
    assert float(said["TimeoutStopSec"][0]) > 60, "longer than drain_s"


def test_the_join_code_is_a_credential_and_no_argument() -> None:
    said = options(FOLDER / "outfield-worker.service")
    assert said["LoadCredential"] == ["join:/etc/outfield/join"]
    assert "--join -" in said["ExecStart"][0]
    assert not any("JOIN" in value for value in said["Environment"])


def test_the_gateways_keys_are_credentials() -> None:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string((FOLDER / "50-gateway.conf").read_text())
    loaded = set(re.findall(r"^LoadCredential=(\w+):", (FOLDER / "50-gateway.conf").read_text(), re.MULTILINE))
    used = re.findall(r"^Environment=(\w+)=%d/(\w+)", (FOLDER / "50-gateway.conf").read_text(), re.MULTILINE)
    assert {name.partition(".")[0] for _, name in used} == loaded
    from scheduler.settings import known_keys

    assert "shotgrid.api_key_file" in known_keys()
    assert ("OUTFIELD_SHOTGRID__API_KEY_FILE", "shotgrid") in used


def test_the_cloud_schedulers_script_and_unit_are_accepted_too(tmp_path: Path) -> None:
    script = scheduler_script(SchedulerBoot("studio", "outfield==0.1'; false", "https://index.example/simple"))
    (tmp_path / "start.sh").write_text(script)
    critic, analyze = components.require("shellcheck"), components.require("systemd-analyze")
    found = subprocess.run([critic, "--shell=sh", tmp_path / "start.sh"], capture_output=True, text=True, check=False)
    assert found.stdout == ""
    unit = script.partition("<<'END_OF_UNIT'\n")[2].partition("END_OF_UNIT")[0]
    (tmp_path / "outfield-scheduler.service").write_text(unit.replace("/opt/outfield/bin/outfield", "/bin/true"))
    done = subprocess.run(
        [analyze, "verify", str(tmp_path / "outfield-scheduler.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr.strip()) == (0, "")
