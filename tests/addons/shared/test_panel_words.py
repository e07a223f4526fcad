"""What every panel shares: presets, the outlook, which renderer takes a scene, where frames lie, wishes."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outfield_core import presets, renderers
from outfield_core.following import JobView
from outfield_core.host import Connection
from outfield_core.outlook import clock, job_words, outlook
from outfield_core.outputs import frame_file, present_frames
from outfield_core.payload import Wish
from outfield_core.wishes import DEFAULTS, frames_wished, overridden, take_over

from scheduler.scenes.outputs import frame_path


def test_a_preset_is_a_shows_own_and_says_how_not_what(tmp_path):
    folder = str(tmp_path / "user")
    wishes = dict(DEFAULTS, split_mode="TILES", priority=80, shot="sh010", frames="1-3")
    presets.save(folder, "Alpha", "heavy", wishes)
    presets.save(folder, "Alpha", "light", dict(DEFAULTS))
    presets.save(folder, "", "for all", dict(DEFAULTS, pool="onprem"))

    assert presets.names(folder, "Alpha") == ["for all", "heavy", "light"]
    assert presets.names(folder, "Beta") == ["for all"]
    said = presets.wishes_of(folder, "Alpha", "heavy")
    assert (said["split_mode"], said["priority"]) == ("TILES", 80)
    assert not {"shot", "frames", "job_name"} & set(said)
    assert presets.wishes_of(folder, "Beta", "for all")["pool"] == "onprem"
    assert presets.wishes_of(folder, "Beta", "heavy") == {}


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"": 3}', '{"": {"p": 3}}', '{"": {"p": {"priority": "much", "evil": 1, "cloud": "never"}}}'],
)
def test_presets_that_were_written_by_others_do_no_harm(tmp_path, content):
    (tmp_path / "presets.json").write_text(content)
    said = presets.wishes_of(str(tmp_path), "", "p")

    assert said == ({"cloud": "never"} if "evil" in content else {})
    presets.save(str(tmp_path), "", "q", dict(DEFAULTS))
    assert "q" in json.loads((tmp_path / "presets.json").read_text())[""]


def test_the_farms_times_in_this_machines_zone(monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    assert clock("2020-12-01T18:00:00Z") == "01.12. 18:00"
    assert clock("2020-12-01T18:00:00.123456+00:00") == clock("2020-12-01T19:00:00+01:00") == "01.12. 18:00"
    assert clock("soon") == clock("") == ""


def test_what_is_unknown_is_left_out_of_the_outlook():
    assert list(outlook(None)) == []
    assert list(outlook({"estimate": {"basis": "no job like it yet"}})) == [("time", "No job like it yet")]
    entry = {"jobID": "1", "name": "x", "status": "ODD", "progress": {"done": 1, "total": 3, "failed": 2}}
    assert job_words(JobView(entry, [], "", None)) == "waits, 1 of 3, 2 failed"


@pytest.mark.parametrize(
    ("info", "expected"),
    [
        (None, "nuke"),
        ({}, None),
        ({"renderers": [{"name": "blender", "endings": [".blend"]}]}, None),
        ({"renderers": [{"name": "odd", "endings": [".NK"]}]}, "odd"),
        ({"renderers": [{"name": "odd", "endings": [".nk"]}, {"name": "nuke", "endings": [".nk"]}]}, "nuke"),
    ],
)
def test_a_scenes_renderer_is_told_by_its_ending(info, expected):
    assert renderers.renderer_for(info, (".nk",), ("nuke",)) == expected


@given(st.integers(-(10**7), 10**7), st.integers(1, 8))
def test_a_frames_file_is_the_one_that_the_farm_writes(frame, digits):
    pattern = f"/out/a.{'#' * digits}.png"

    assert frame_file(pattern, frame) == str(frame_path(pattern, frame))


def test_frames_that_are_there(tmp_path):
    for frame in (1, 3):
        (tmp_path / f"a.{frame:04d}.png").write_bytes(b"")

    assert present_frames(f"{tmp_path}/a.####.png", range(5)) == [1, 3]


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ({"chunk": 5}, (5, None, None)),
        ({"split_mode": "TILES", "tiles_x": 3, "tiles_y": 2, "chunk": 5}, (1, (3, 2), None)),
        ({"split_mode": "SAMPLES", "sample_slices": 8}, (1, None, 8)),
    ],
)
def test_one_way_of_splitting_counts(said, body):
    wish = Wish("x")
    take_over(wish, overridden(said, DEFAULTS))

    assert (wish.chunk, wish.tiles, wish.samples_split) == body


def test_frames_that_are_said_are_a_range():
    assert frames_wished(overridden({"frames": " 1-3 "}, DEFAULTS), scene="1-9", current=4) == "1-3"
    assert frames_wished(overridden({"frames_mode": "CURRENT"}, DEFAULTS), scene="1-9", current=4) == "4"
    assert frames_wished(DEFAULTS, scene="1-9", current=4) == "1-9"
    with pytest.raises(TypeError, match="framse"):
        overridden({"framse": "1"}, DEFAULTS)


def test_the_environment_stands_in_for_preferences_that_are_not_set():
    environment = {"OUTFIELD_SERVER": "http://farm:1", "OUTFIELD_TOKEN": "t", "OUTFIELD_CA_FILE": "/ca"}

    assert vars(Connection({}, environment)) == {"server": "http://farm:1", "token": "t", "ca_file": "/ca"}
    assert Connection({"server": " http://own "}, environment).server == "http://own"
    assert Connection({}, {}).client(3.0).server == "http://127.0.0.1:8000"
    assert Connection({}, {}) == Connection({"token": ""}, {}) != Connection({"token": "x"}, {})
