"""The list of jobs and the outlook in the panel: what is said, what is shown, what can be ordered."""

from __future__ import annotations

from pathlib import Path

from fake_maya import part, until


def test_jobs_can_be_ordered_about(maya, maya_farm, opened):
    progress = {"total": 4, "done": 1, "running": 0, "failed": 1}
    maya_farm.jobs += [
        {"jobID": "00007", "name": "one", "status": "RUNNING", "progress": progress, "priority": 95},
        {"jobID": "00008", "name": "two", "status": "PAUSED", "progress": progress, "priority": 5},
        {"jobID": "00009", "name": "three", "status": "CANCELED", "progress": progress, "priority": 5},
    ]
    frames = [{"frame": 3, "status": "DONE", "published_at": "2026-11-28T10:00:00Z", "hash": "ab" * 32}]
    maya_farm.bad["GET /jobs/00007/frames"] = (200, frames)
    maya_farm.bad["GET /jobs/00007/frames/3"] = (200, b"picture")
    opened()
    until(maya, lambda: any("00009 three" in text for text in maya.shown("frameLayout")))
    for label in set(maya.shown("button")) - {"Render on farm"}:
        maya.press(label)
    until(maya, lambda: part("jobs_panel")._fetched and any("00007_0003" in text for text in maya.shown()))

    ordered = {"cancel", "retry", "pause", "resume", "priority"}
    asked = maya_farm.asked
    until(maya, lambda: ordered == {each.rpartition("/")[2] for each in asked if each.startswith("POST /jobs")})
    assert Path(part("jobs_panel")._fetched[0]).read_bytes() == b"picture"
    assert maya.launched == [f"{maya_farm.url}/#/jobs/00007"]


def test_where_and_when_it_would_be_done(maya):
    def outlook(trial):
        return [text for _, text in part("outfield_core.outlook").outlook(trial)]

    trial = {
        "route": {"chosen": ["onprem"]}, "rank": {"position": 2, "of": 9},
        "estimate": {"finish": "2020-01-02T10:00:00Z", "low": "2020-01-02T09:00:00Z", "high": "2020-01-03T09:00:00Z"},
    }  # fmt: skip
    lines = outlook(trial)

    assert lines[:2] == ["Runs on onprem", "Rank 2 of 9"]
    assert lines[2].startswith("Done about 02.01. ") and " to 03.01." in lines[2]
    cost = {"tasks": 3, "machine_hours": None, "usd": {"low": 0, "likely": 0, "high": 0}, "pools": [], "note": ""}
    assert outlook({"cost": cost}) == ["Tasks: 3", "Costs nothing"]
    nowhere = outlook({"placeable": False, "route": {"pools": [{"reason": "no worker"}]}})
    assert nowhere == ["No place can take it: no worker"]


def test_the_newest_picture_of_a_job_stands_beside_it(maya, maya_farm, opened):
    progress = {"total": 4, "done": 1, "running": 0, "failed": 0}
    maya_farm.jobs.append({"jobID": "00007", "name": "one", "status": "RUNNING", "progress": progress})
    frames = [{"frame": 3, "status": "DONE", "published_at": "2026-11-28T10:00:00Z", "hash": "ab" * 32}]
    maya_farm.bad["GET /jobs/00007/frames"] = (200, frames)
    maya_farm.bad["GET /jobs/00007/frames/3/preview"] = (200, b"small picture")
    opened()
    until(maya, lambda: maya.shown("image", "image"))
    (path,) = maya.shown("image", "image")

    assert Path(path).read_bytes() == b"small picture"
    assert path.endswith(".png"), "Maya reads no WebP"
    Path(path).unlink()
    part("panel")._drawn.clear()
    part("panel").draw()
    assert maya.shown("image", "image") == []
