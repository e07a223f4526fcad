"""The guard against other distributions that bring a `scheduler`, `worker` or `kernels` of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scheduler import ownership

HOME = Path(ownership.__file__).resolve().parents[1]


def test_this_installation_is_ours() -> None:
    assert ownership.findings() == []


def test_a_package_of_our_own_is_fine() -> None:
    origin = HOME / "worker" / "__init__.py"

    assert ownership.judge("worker", origin, ["outfield"], HOME) is None
    assert ownership.judge("worker", origin, [], HOME) is None


def test_a_second_owner_is_named_with_the_command_that_removes_it() -> None:
    finding = ownership.judge("kernels", HOME / "kernels" / "__init__.py", ["kernels", "outfield"], HOME)

    assert finding is not None
    assert finding.package == "kernels"
    assert "pip uninstall kernels && pip install --force-reinstall --no-deps outfield" in finding.hint
    assert "\n" not in finding.hint


def test_a_package_from_elsewhere_is_named_with_its_file(tmp_path: Path) -> None:
    stranger = tmp_path / "worker" / "__init__.py"

    finding = ownership.judge("worker", stranger, [], HOME)

    assert finding is not None
    assert str(stranger) in finding.found


def test_a_missing_package_is_a_finding() -> None:
    finding = ownership.judge("worker", None, [], HOME)

    assert finding is not None
    assert "cannot be found" in finding.found


@pytest.mark.parametrize(
    ("record", "owns"),
    [
        ("scheduler/__init__.py,sha256=x,1\n", True),
        ("a.py,,\nscheduler/__init__.py,sha256=x,1\n", True),
        ("other/scheduler/__init__.py,sha256=x,1\n", False),
        ("scheduler/core.py,sha256=x,1\n", False),
    ],
)
def test_owners_are_read_from_the_records(tmp_path: Path, record: str, owns: bool) -> None:
    info = tmp_path / "scheduler-0.8.11.dist-info"
    info.mkdir()
    (info / "RECORD").write_text(record)

    assert ownership.owners_in(tmp_path, "scheduler") == (["scheduler"] if owns else [])


def test_a_stranger_on_the_path_is_found_by_a_real_interpreter(tmp_path: Path) -> None:
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "__init__.py").write_text("raise SystemExit('the stranger was imported')\n")
    program = (
        f"import sys; sys.path.insert(0, {str(HOME)!r}); sys.path.insert(0, {str(tmp_path)!r})\n"
        "from scheduler.ownership import findings\n"
        "print(*(finding.package for finding in findings()))"
    )

    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)

    assert run.stdout.strip() == "kernels"
