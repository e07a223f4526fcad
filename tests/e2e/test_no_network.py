"""A workstation without a network: a tracker is set up and cannot be reached, and everything works all the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import json, os, subprocess, sys, time
import httpx

data, config = sys.argv[1:]
outfield = [sys.executable, "-m", "scheduler.cli.main"]
up = subprocess.Popen([*outfield, "up", "--port", "0", "--data", data, "--workers", "1", "--config", config],
                      stdout=subprocess.PIPE, text=True)
url = up.stdout.readline().split()[-1]
token = open(data + "/admin.token").read().strip()
environment = {**os.environ, "OUTFIELD_SERVER": url, "OUTFIELD_TOKEN": token}

def say(*words):
    return subprocess.run([*outfield, *words], env=environment, capture_output=True, text=True, timeout=90)

submitted = say("--json", "submit", "--name", "hello", "--wait")
why = say("--json", "why", "1")
priorities = say("--json", "priorities")
check = say("shotgrid", "check", "--config", config)
up.terminate()
print(json.dumps({
    "submitted": submitted.returncode, "errors": submitted.stderr, "why": json.loads(why.stdout),
    "priorities": json.loads(priorities.stdout), "check": check.stderr + check.stdout, "exit": up.wait(30),
}))
"""

CONFIG = """
[shotgrid]
url = "https://studio.shotgrid.invalid"
api_key = "k3y"
sync_interval_s = 0.5
timeout_s = 2
"""


@pytest.mark.skipif(shutil.which("unshare") is None or os.geteuid() != 0, reason="needs root and unshare (util-linux)")
def test_a_farm_without_a_network(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "outfield.toml").write_text(CONFIG)
    inside = f"ip link set lo up && exec {sys.executable} script.py {tmp_path / 'data'} outfield.toml"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", inside], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])

    assert said["submitted"] == 0, said["errors"]
    assert said["why"]["status"] == "SUCCEEDED"
    state = said["priorities"]["tracker"]["state"]
    assert state["error"], "the tracker's silence is shown"
    assert state["stale"]
    assert "k3y" not in json.dumps(said) + done.stderr
    assert said["exit"] == 0
