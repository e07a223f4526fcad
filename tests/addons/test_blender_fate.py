"""What may befall an artist's machine: the farm away, kill -9 in the middle. Every job once, no trace left."""

from __future__ import annotations

import json
import socket
import subprocess

import pytest
from addon_acts import spool_files
from fake_farm import TOKEN, fake_farm

pytestmark = pytest.mark.processes


@pytest.fixture(scope="module", params=["blender", "bpy"])
def home(request, new_home):
    return new_home(request.param)


@pytest.fixture(scope="module")
def scene(home):
    (path,) = home.run(["addon_scenes:make_plain", str(home.folder / "project")])
    return path


@pytest.fixture(scope="module")
def mortal(new_home):
    """A machine for what does not depend on Blender's version: death."""
    home = new_home("blender")
    (path,) = home.run(["addon_scenes:make_plain", str(home.folder / "project")])
    return home, path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_three_while_the_farm_is_away_are_three_jobs_when_both_are_back(home, scene):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    calls = [["addon_acts:submit_file", scene, "//out/####", url, TOKEN, {"job_name": str(n)}] for n in range(3)]
    answers = home.run(*calls)
    assert all(answer["result"] == ["FINISHED"] and answer["same_file"] for answer in answers)
    assert [sum("plain.blend" in name for name in answer["spool"]) for answer in answers] == [1, 2, 3]

    with fake_farm(port) as farm:
        home.run(["addon_session:connected", url, TOKEN])
        assert sorted(job["name"] for job in farm.jobs) == ["0", "1", "2"]
        home.run(["addon_session:nothing"])
        assert len(farm.jobs) == 3
    assert spool_files(home.spool) == []


@pytest.mark.parametrize(("stage", "jobs"), [("saved", 0), ("kept", 1)])
def test_kill_9_leaves_no_half_job_and_no_trace_after_the_next_start(mortal, stage, jobs):
    home, scene = mortal
    with fake_farm() as farm:
        home.run(["addon_session:die_while", stage, scene, farm.url, TOKEN], allow_failure=True)
        assert spool_files(home.spool) != []
        assert farm.jobs == []
        home.run(["addon_session:connected", farm.url, TOKEN])

        assert len(farm.jobs) == jobs
    assert spool_files(home.spool) == []


def test_kill_9_in_the_middle_of_an_upload_makes_one_job(mortal):
    home, scene = mortal
    with fake_farm() as farm:
        farm.hangs_on = "PUT /blobs/"
        calls = [["addon_acts:submit_file", scene, "//out/####", farm.url, TOKEN, {"job_name": "cut off"}]]
        process = subprocess.Popen(
            home.argv(calls=calls), env=home.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert farm.entered.wait(60)
        process.kill()
        process.wait(10)
        farm.hangs_on = ""
        farm.hang.set()
        home.run(["addon_session:connected", farm.url, TOKEN])

        assert [job["name"] for job in farm.jobs] == ["cut off"]
    assert spool_files(home.spool) == []


def test_a_pipeline_calls_it_in_python_with_settings_of_its_own(home, scene):
    with fake_farm() as farm:
        settings = {"frames": "1-9x4", "priority": 70, "cost_cap_usd": 2.5, "overrides": {"samples": 8}}
        (done,) = home.run(["addon_session:call_in_python", scene, farm.url, TOKEN, settings])
        (sent,) = [json.loads(body) for body, _ in farm.answered.values()]

    assert done == {"job": "00001", "spooled": False, "text": "outfield jobID 00001"}
    assert (sent["frames"], sent["priority"], sent["settings"]["samples"]) == ("1-9x4", 70, 8)
    assert sent["cost_cap_usd"] == 2.5


def test_a_scene_that_was_never_saved_goes_as_it_is(home):
    with fake_farm() as farm:
        (done,) = home.run(["addon_session:never_saved", farm.url, TOKEN])
        (manifest,) = [json.loads(blob) for blob in farm.blobs.values() if blob.startswith(b"{")]

    assert done["job"] == "00001"
    assert done["file"] == ""
    assert list(manifest["files"]) == ["untitled.blend"]


def test_switched_off_nothing_is_left_and_on_again_all_is_back(home):
    (found,) = home.run(["addon_session:registered_and_back"])

    assert found["off"] == {"classes": [], "property": False}
    assert not found["alias"]
    assert found["again"] == found["on"]
    assert found["on"]["timer"] is False, "nothing ticks in background mode"
    assert found["on"]["threads"] == []
