"""What doctor looks at."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from fake_render import installed
from fake_rest import FakeRest
from typer.testing import Result

from scheduler import __version__
from scheduler.cli import checks
from scheduler.cli.checks import Level
from scheduler.cli.connection import Connection
from scheduler.clock import SystemClock
from scheduler.settings import ServerSettings, Settings


def at(host: str, port: int) -> Settings:
    return Settings(server=ServerSettings(host=host, port=port))


def test_doctor_is_content_with_this_machine(outfield: Callable[..., Result]) -> None:
    result = outfield("doctor", "--json", "--data", "farm")

    levels = {check["name"]: check["level"] for check in json.loads(result.stdout)}
    assert {"packages", "SQLite", "data folder", "admin token", "output roots", "clock", "kernel"} <= set(levels)
    assert "fail" not in {level for name, level in levels.items() if name != "address"}
    assert not Path("farm").exists()


def test_doctor_names_the_mayas_of_this_machine_if_there_are_any(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTFIELD_MAYA__EXECUTABLES", "/nowhere/Render")
    assert "Maya" not in {check.name for check in checks.renderers()}
    program = installed(tmp_path, "2025", "file arnold sw")
    monkeypatch.setenv("OUTFIELD_MAYA__EXECUTABLES", str(program))
    (maya,) = [check for check in checks.renderers() if check.name == "Maya"]
    assert (maya.level, maya.found) == (Level.OK, f"2025 (arnold, mayaSoftware), {program}")


def test_doctor_asks_a_scheduler_that_is_named(outfield: Callable[..., Result]) -> None:
    result = outfield("doctor", "--server", "http://127.0.0.1:9")

    assert result.exit_code == 1
    assert "Cannot reach the scheduler at http://127.0.0.1:9" in result.stdout


@pytest.mark.parametrize(
    ("mode", "level"), [(0o600, Level.OK), (0o400, Level.OK), (0o640, Level.FAIL), (0o604, Level.FAIL)]
)
def test_a_token_that_others_can_read_is_a_fault(tmp_path: Path, mode: int, level: Level) -> None:
    (tmp_path / "admin.token").touch()
    (tmp_path / "admin.token").chmod(mode)

    found = checks.token_file(tmp_path)

    assert found.level is level
    assert ("chmod 600" in found.hint) == (level is Level.FAIL)


def test_a_token_that_is_not_there_yet_is_fine(tmp_path: Path) -> None:
    assert checks.token_file(tmp_path).level is Level.OK


def test_a_data_folder_that_is_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "data").touch()

    assert checks.data_folder(tmp_path / "data", 0).level is Level.FAIL


def test_too_little_room_is_a_fault(tmp_path: Path) -> None:
    assert checks.data_folder(tmp_path, 2**62).level is Level.FAIL
    assert checks.data_folder(tmp_path / "to" / "be" / "made", 0).level is not Level.FAIL


def test_an_output_root_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    assert checks.output_roots((tmp_path,)).level is Level.OK
    assert checks.output_roots((tmp_path, tmp_path / "none")).level is Level.FAIL


@pytest.mark.parametrize(("off_s", "level"), [(0, Level.OK), (10, Level.WARN), (-3600, Level.FAIL)])
def test_a_clock_that_differs_from_the_disks_is_told(tmp_path: Path, off_s: float, level: Level) -> None:
    clock = SystemClock()

    assert checks.clock(tmp_path, lambda: clock.now() + timedelta(seconds=off_s)).level is level


def test_a_clock_that_was_never_set_is_a_fault(tmp_path: Path) -> None:
    assert checks.clock(tmp_path, lambda: datetime(1970, 1, 1, tzinfo=UTC)).level is Level.FAIL


def test_an_address_is_free_ours_or_taken(fake: FakeRest) -> None:
    port = int(fake.url.rpartition(":")[2])
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        assert checks.address(at("127.0.0.1", held.getsockname()[1])).level is Level.OK

    assert checks.address(at("0.0.0.0", port)).level is Level.FAIL
    fake.answers["GET /healthz"] = {"status": "ok"}
    assert checks.address(at("127.0.0.1", port)).level is Level.OK
    assert checks.address(at("127.0.0.1", 0)).level is Level.OK


def test_another_release_on_the_scheduler_is_a_warning(fake: FakeRest) -> None:
    fake.answers["GET /healthz"] = {"status": "ok"}
    fake.answers["GET /info"] = {"version": "9.9.9"}

    assert checks.scheduler_at(Connection(fake.url, "t")).level is Level.WARN
    fake.answers["GET /info"] = {"version": __version__}
    assert checks.scheduler_at(Connection(fake.url, "t")).level is Level.OK
    fake.fails("GET /info", 401, "unauthenticated")
    assert checks.scheduler_at(Connection(fake.url, "t")).level is Level.FAIL


def test_compiled_kernels_are_counted(tmp_path: Path) -> None:
    assert "empty" in checks.compiled_kernels(tmp_path / "cache").found
    (tmp_path / "k.nbc").touch()
    assert "1 compiled" in checks.compiled_kernels(tmp_path).found
