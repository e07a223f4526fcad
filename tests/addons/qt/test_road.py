"""A real farm, which renders no scene of Houdini's or Nuke's: it says so in the panel, and nothing is sent."""

from __future__ import annotations

from pathlib import Path

import pytest
from qt_programs import part, press, said, until
from running_farm import RunningFarm

pytestmark = pytest.mark.processes


def test_a_real_farm_refuses_in_a_sentence_and_shows_the_jobs_it_has(program, built, tmp_path, monkeypatch):
    farm = RunningFarm(tmp_path / "data", workers=1, flags=("--output-root", str(tmp_path)))
    try:
        monkeypatch.setenv("OUTFIELD_SERVER", farm.url)
        monkeypatch.setenv("OUTFIELD_TOKEN", farm.token)
        other = farm.client.post("/new_job", json={"name": "other", "settings": {"width": 48, "height": 27}})
        farm.succeed(other.json()["data"]["jobID"])
        panel = part("window").show()
        sentence = f"This farm has no renderer for {built[0].capitalize()} scenes; it has"
        until(panel, lambda: any(text.startswith(sentence) for text in said(panel)))
        press(panel, "Render on farm")
        until(panel, lambda: any(text.startswith(sentence) for _, text in panel.desk.here.messages))
        until(panel, lambda: any(job.preview for job in panel.desk.here.follower.view.jobs))
        (job,) = panel.desk.here.follower.view.jobs

        assert (job.name, job.status) == ("other", "SUCCEEDED")
        assert Path(job.preview).read_bytes()[:4] == b"\x89PNG"
        until(panel, lambda: panel.desk.here.follower.view.trial_error is None)
        assert len(farm.client.get("/jobs").json()["data"]) == 1
        with pytest.raises(Exception, match="no renderer for"):
            part("").submit()
        assert program.writes == []
    finally:
        assert farm.stop() == 0
