"""From `outfield.submit` to a picture: a real farm without a renderer for Maya, which says so and draws the mesh."""

from __future__ import annotations

import pytest
from fake_maya import part
from running_farm import RunningFarm

pytestmark = pytest.mark.processes


def test_a_real_farm_refuses_the_scene_and_renders_the_mesh(maya, tmp_path, monkeypatch):
    farm = RunningFarm(tmp_path / "data", workers=1)
    try:
        monkeypatch.setenv("OUTFIELD_SERVER", farm.url)
        monkeypatch.setenv("OUTFIELD_TOKEN", farm.token)
        with pytest.raises(Exception, match=r"no renderer for Maya scenes; it has .*kernel"):
            part("").submit()
        (made,) = part("").submit(preview=True, overrides={"width": 48, "height": 27, "ao_samples": 2})
        farm.succeed(made.job_id)
        job = farm.job(made.job_id)

        assert job["name"] == "shot preview"
        assert job["metadata"]["maya"]["renderer"] == "arnold"
        (frame,) = farm.client.get(f"/jobs/{made.job_id}/frames").json()["data"]
        picture = farm.client.get(f"/jobs/{made.job_id}/frames/{frame['frame']}")
        assert picture.headers["content-type"] == "image/png" and picture.content[:4] == b"\x89PNG"
        assert part("session").current().spool.waiting() == []
    finally:
        assert farm.stop() == 0
