"""`/addons`: zips that anybody may fetch, and a list that Blender itself would have written."""

from __future__ import annotations

import hashlib
import json
import subprocess
from pathlib import Path

from api_client import ServedFarm
from components import require

from scheduler.addons.packing import build


def test_what_is_listed_can_be_fetched_without_a_token(shared_farm: ServedFarm) -> None:
    listed = shared_farm.data("GET", "/addons", "none")
    (blender,) = [each for each in listed if each["program"] == "blender"]
    answer = shared_farm.call("GET", blender["path"], "none")

    assert hashlib.sha256(answer.content).hexdigest() == blender["hash"]
    assert len(answer.content) == blender["size"]
    again = shared_farm.call("GET", blender["path"], "none", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


def test_what_is_not_there_is_told(shared_farm: ServedFarm) -> None:
    answer = shared_farm.call("GET", "/addons/outfield-blender-9.9.9.zip", "none")

    assert (answer.status_code, answer.json()["data"]["code"]) == (404, "addon_unknown")


def test_the_list_is_the_one_that_blender_makes(shared_farm: ServedFarm, tmp_path: Path) -> None:
    python = require("bpy")
    (tool,) = python.parents[1].glob("lib/python*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py")
    built = build("blender")
    archive = tmp_path / built.addon.file_name
    archive.write_bytes(built.content)

    for argv in (["validate", str(archive)], ["server-generate", "--repo-dir", str(tmp_path)]):
        done = subprocess.run([python, tool, *argv], capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
    assert shared_farm.call("GET", "/addons/index.json", "none").json() == json.loads(
        (tmp_path / "index.json").read_text()
    )
