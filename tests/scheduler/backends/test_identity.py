"""A start-up script learns which instance it runs on, really run by the shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from scheduler.backends.gce.properties import own_name
from scheduler.backends.identity import with_identity

SCRIPT = '#!/bin/sh\nset -u\necho "[$OUTFIELD_INSTANCE]"\n'


def run(script: str, folder: Path, **environment: str) -> str:
    file = folder / "start-up.sh"
    file.write_text(script)
    file.chmod(0o755)
    env = {"PATH": f"{folder}:{os.environ['PATH']}", **environment}
    return subprocess.run([str(file)], env=env, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def test_it_is_what_the_command_prints(tmp_path: Path) -> None:
    assert run(with_identity(SCRIPT, "echo i-1"), tmp_path) == "[i-1]"


def test_what_is_known_already_stays(tmp_path: Path) -> None:
    assert run(with_identity(SCRIPT, "echo i-1"), tmp_path, OUTFIELD_INSTANCE="i-2") == "[i-2]"


def test_a_machine_that_does_not_know_starts_all_the_same(tmp_path: Path) -> None:
    assert run(with_identity(SCRIPT, "cat /no/such/file 2> /dev/null"), tmp_path) == "[]"


@pytest.mark.parametrize("answers", [True, False], ids=["metadata", "hostname"])
def test_on_compute_engine_it_is_the_zone_and_the_name(tmp_path: Path, answers: bool) -> None:
    tools = {"curl": "echo outfield-1" if answers else "exit 22", "hostname": "echo outfield-2"}
    for name, line in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / name).chmod(0o755)
    name = "outfield-1" if answers else "outfield-2"

    assert run(with_identity(SCRIPT, own_name("us-east1-b")), tmp_path) == f"[us-east1-b/{name}]"


@pytest.mark.parametrize("first", ["#!/usr/bin/env python3", "#cloud-config", "#!/usr/bin/python3", ""])
def test_what_is_no_shell_script_is_left_alone(first: str) -> None:
    assert with_identity(f"{first}\nprint(1)\n", "echo i-1") == f"{first}\nprint(1)\n"


@pytest.mark.parametrize("first", ["#!/bin/sh", "#!/bin/bash -e", "#!/usr/bin/env bash", "#! /bin/dash"])
def test_every_shell_is_told(first: str) -> None:
    assert with_identity(f"{first}\ntrue\n", "echo i-1").startswith(f'{first}\n: "${{OUTFIELD_INSTANCE:=')
