"""Two farms in two network namespaces: a job goes from one to the other, and its frames come home, over a bad line.

The line is cut as a cable is: nothing arrives, and nobody is told so. Time limits are set small, so that seconds stand
for minutes; LINE_CUT_S sets how long the longest cut is.
"""

from __future__ import annotations

import os
import random
import threading
import time
from pathlib import Path

import components
import netns
import pytest
from running_farm import RunningFarm

CUT_S = float(os.environ.get("LINE_CUT_S", "4"))
FLAPPING_S = 6.0

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not netns.possible(), reason=netns.NEEDS),
]

CONFIG = """
[pools.studio]
backend = "site"
url = "{url}"
token = "{token}"
default = true
poll_s = 0.2
backoff_max_s = 0.5
connect_timeout_s = 0.6
timeout_s = 1.0
"""


class Pair:
    """A home farm without workers, and the studio's with one, each in its own namespace."""

    def __init__(self, folder: Path, places: netns.Places) -> None:
        self.folder, self.places = folder, places
        self.far = RunningFarm(
            folder / "far", workers=1, flags=("--host", places.THERE), inside=places.inside(places.there)
        )
        self._config = folder / "home.toml"
        self._config.write_text(CONFIG.format(url=self.far.url, token=self.far.token))
        self.home = self.start_home()

    def start_home(self) -> RunningFarm:
        """The home farm, which finds what it had."""
        flags = ("--config", str(self._config), "--output-root", str(self.folder))
        return RunningFarm(self.folder / "home", workers=0, flags=flags, inside=self.places.inside(self.places.here))

    def kill_home(self) -> None:
        """kill -9 of the home farm, and another start."""
        self.home.kill()
        self.home = self.start_home()

    def submit(self, name: str, frames: str, **settings: object) -> tuple[str, Path]:
        """Submit at home; the jobID and the folder that its frames are to appear in."""
        out = self.folder / name
        wanted = {"width": 96, "height": 64} | settings
        return self.home.submit(name=name, frames=frames, settings=wanted, output=str(out / "f.####.png")), out

    def far_jobs(self, name: str) -> list[dict]:
        """The jobs of that name that the studio has."""
        return [job for job in self.far.client.get("/jobs").json()["data"] if job["name"] == name]

    def check_home(self, job: str, name: str, out: Path, count: int) -> None:
        """One job there, one set of frames here, byte for byte what was rendered there."""
        (there,) = self.far_jobs(name)
        far_id = there["jobID"]
        frames = self.home.client.get(f"/jobs/{job}/frames").json()["data"]
        assert len(frames) == count
        assert sorted(path.name for path in out.iterdir()) == [f"f.{frame['frame']:04d}.png" for frame in frames]
        for frame in frames:
            theirs = self.far.client.get(f"/jobs/{far_id}/frames/{frame['frame']}").content
            assert Path(frame["path"]).read_bytes() == theirs
        for farm, number in ((self.home, job), (self.far, far_id)):
            events = farm.client.get(f"/jobs/{number}/events", params={"limit": 1000}).json()["data"]
            published = [event["data"]["frame"] for event in events if event["kind"] == "frame.published"]
            assert sorted(published) == [frame["frame"] for frame in frames], "each frame once"

    def close(self) -> None:
        """End both, then take the namespaces away."""
        for farm in (self.home, self.far):
            if farm.process.poll() is None:
                assert farm.stop() == 0, farm.log()[-2000:]


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    components.require("ip")
    places = netns.Places()
    made = None
    try:
        made = Pair(tmp_path_factory.mktemp("sites"), places)
        yield made
    finally:
        places.mend()
        if made is not None:
            made.close()
        places.close()


def test_a_job_survives_a_line_that_is_cut_while_it_is_submitted_and_while_it_renders(pair):
    pair.places.cut()
    job, out = pair.submit("cut", "1-6", samples=900)
    why = pair.home.until(lambda: _reason(pair, job, "does not answer"))
    assert "studio" in why
    pair.kill_home()  # with the job accepted, and the studio out of reach
    assert pair.far_jobs("cut") == []
    pair.places.mend()

    pair.home.until(lambda: any(frame["status"] == "published" for frame in _frames(pair, job)), within_s=90)
    assert pair.home.job(job)["away"] == "studio"
    pair.places.cut()
    before = len([frame for frame in _frames(pair, job) if frame["status"] == "published"])
    assert before < 6, "the line was cut too late to show anything"
    pair.kill_home()  # in the middle of it
    threading.Event().wait(CUT_S)
    pair.places.mend()

    done = pair.home.succeed(job, within_s=120)
    assert done["site"]["words"].startswith("handed over to studio") or done["site"]["outcome"] == "HOME"
    pair.check_home(job, "cut", out, 6)


def test_a_line_that_flaps_and_a_farm_that_dies_leave_one_job_of_each(pair):
    chance = random.Random(7)
    jobs = {}
    deadline = time.monotonic() + FLAPPING_S
    while time.monotonic() < deadline:
        name = f"flap{len(jobs)}"
        if len(jobs) < 5:
            jobs[name] = pair.submit(name, "1-2")
        pair.places.cut()
        threading.Event().wait(chance.uniform(0.05, 0.6))
        pair.places.mend()
        threading.Event().wait(chance.uniform(0.05, 0.9))
        if len(jobs) == 3:
            pair.kill_home()
    for name, (job, out) in jobs.items():
        pair.home.succeed(job, within_s=90)
        pair.check_home(job, name, out, 2)


def test_what_is_wished_while_the_line_is_cut_follows_when_it_is_mended(pair):
    job, _out = pair.submit("wished", "1-200", samples=900)
    pair.home.until(lambda: pair.home.job(job)["site"] and pair.home.job(job)["site"]["status"] == "RUNNING")
    pair.places.cut()
    assert pair.home.client.post(f"/jobs/{job}/priority", json={"priority": 77}).status_code == 200
    assert pair.home.client.post(f"/jobs/{job}/pause").status_code == 200
    pair.places.mend()
    pair.home.until(lambda: pair.far_jobs("wished")[0]["status"] == "PAUSED")
    pair.home.until(lambda: pair.far_jobs("wished")[0]["priority"] == 77)
    pair.places.cut()
    assert pair.home.client.post(f"/jobs/{job}/cancel").json()["data"]["status"] == "CANCELED"
    pair.places.mend()
    pair.home.until(lambda: pair.far_jobs("wished")[0]["status"] == "CANCELED")
    pair.home.until(lambda: pair.home.job(job)["site"]["outcome"] == "CANCELED")


def _frames(pair: Pair, job: str) -> list[dict]:
    return pair.home.client.get(f"/jobs/{job}/frames").json()["data"]


def _reason(pair: Pair, job: str, words: str) -> str | None:
    waiting = pair.home.client.get(f"/jobs/{job}/why").json()["data"]["waiting"]
    return next((group["reason"] for group in waiting if words in group["reason"]), None)
