"""What people see of jobs that are away, what they cost, and what is kept of them."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest
from site_farm import URL, SiteFarm
from sqlmodel import select

from scheduler.domain.states import JobStatus
from scheduler.errors import Refused
from scheduler.service import controlling
from scheduler.service.costing import list_budgets
from scheduler.service.keeping import DAY_S, keep_house
from scheduler.service.viewing import list_pools
from scheduler.service.viewing_jobs import JobFilter, list_jobs, show_job
from scheduler.service.viewing_tasks import list_tasks, show_task
from scheduler.settings import BudgetSettings
from scheduler.store.sites import Handover
from scheduler.store.tables import Blob, Job


def seen(home: SiteFarm, view):
    with home.store.read() as session:
        return view(session)


def test_a_job_shows_where_it_is(home):
    far = home.far["branch"]
    far.foretells = "2026-01-01T03:00:00.000Z"
    job = home.submit(frames="1-2", renderer="kernel", split={"tiles": [2, 1]})
    home.rounds()
    far.render(far.only.number, frames=1)
    home.rounds(3, seconds=20)
    shown = seen(home, lambda session: show_job(session, job))
    assert shown["away"] == "branch"
    assert shown["site"] | {"site": "branch", "jobID": "00001", "status": "RUNNING", "published": 1} == shown["site"]
    assert shown["site"]["words"].startswith("handed over to branch as 00001, there: RUNNING 1/2")
    entries, _cursor = seen(home, lambda session: list_jobs(session, JobFilter(), 10))
    assert [entry["away"] for entry in entries] == ["branch"]
    tasks, _cursor = seen(home, lambda session: list_tasks(session, job, status=(), after=None, limit=10))
    assert {task["worker"] for task in tasks if task["status"] in ("READY", "BLOCKED")} == {"site:branch"}
    assert seen(home, lambda session: show_task(session, 2))["worker"] == "site:branch"
    assert home.why(job)["estimate"]["finish"] == far.foretells
    assert home.why(job)["site"] == shown["site"]


def test_a_site_shows_among_the_pools(home):
    home.far["branch"].line = "down"
    home.submit(renderer="kernel")
    home.rounds(1)
    (pool,) = [pool for pool in list_pools(home.farm) if pool["pool"] == "branch"]
    assert (pool["backend"], pool["site"]["url"], pool["site"]["jobs"]) == ("site", URL, 1)
    assert "it cannot be reached" in pool["site"]["trouble"]


def test_no_worker_joins_a_site(home):
    with pytest.raises(Refused, match="another farm"):
        home.join(pool="branch")


def test_a_paused_job_says_that_it_waits_to_be_resumed(home):
    job = home.submit(renderer="kernel")
    home.far["branch"].line = "down"
    home.rounds(1)
    home.run(controlling.pause_job(home.farm, job, "anna"))
    assert "when it is resumed" in home.why(job)["waiting"][0]["reason"]


def test_what_another_farm_spent_counts_against_the_budget(make_home):
    home = make_home(
        sites={"branch": {"default": True, "price_usd_per_hour": 2.0}}, budgets={"farm": BudgetSettings(usd=10)}
    )
    far = home.far["branch"]
    home.submit(renderer="kernel")
    home.rounds()
    far.only.worked_s = 1800.0
    far.render(far.only.number)
    home.rounds()
    (budget,) = home.run(list_budgets(home.farm))
    assert budget["by_pool_usd"] == {"branch": 1.0}
    assert budget["left_usd"] == 9.0
    more = home.submit(renderer="kernel")
    home.rounds(1)
    assert home.row(more).away == "branch"
    home.rounds()
    far.jobs["00002"].worked_s = 18_000.0
    home.rounds()
    home.services.surveyor.take_budgets(home.run(list_budgets(home.farm)))
    last = home.submit(renderer="kernel")
    home.rounds()
    assert home.row(last).away is None, "what is spent is spent"
    assert "budget 'farm' is spent" in home.why(last)["waiting"][0]["reason"]


def test_files_are_kept_until_they_were_sent_and_jobs_until_they_were_told(home, tmp_path):
    far, scene = home.far["branch"], tmp_path / "a.obj"
    scene.write_text("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    far.line = "down"
    job = home.submit(scene=str(scene), renderer="kernel")
    home.rounds(1)
    home.clock.advance(31 * DAY_S)
    assert home.run(keep_house(home.farm))["blobs"] == 0, "it is still to be sent"
    far.line = "up"
    home.rounds(3, seconds=61)
    assert far.blobs
    far.line = "down"
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    home.clock.advance(91 * DAY_S)
    kept = home.run(keep_house(home.farm))
    assert (kept["jobs"], kept["blobs"]) == (0, 1), "the other farm is still to be told"
    far.line = "up"
    home.rounds(2, seconds=61)
    assert far.only.status is JobStatus.CANCELED
    assert home.run(keep_house(home.farm))["jobs"] == 1
    assert seen(home, lambda session: session.exec(select(Handover)).all()) == []
    assert seen(home, lambda session: session.exec(select(Blob)).all()) == []


def test_a_zip_goes_along_by_its_hash(home):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("in/a.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    data = packed.getvalue()
    digest = hashlib.sha256(data).hexdigest()
    incoming = home.store.blobs.incoming(size_max=10**6, free_min=0)
    incoming.write(data)
    incoming.finish()
    home.store.blobs.adopt(incoming.path, digest)
    scene = f"archive:{digest}/in/a.obj"
    job = home.submit(scene=scene)
    with home.store.read() as session:
        assert (
            session.get_one(Job, job).scene | {"archive": digest, "name": "in/a.obj"} == session.get_one(Job, job).scene
        )
    home.rounds()
    assert home.far["branch"].only.payload["scene"] == scene
    assert home.far["branch"].blobs == {digest: data}
    with pytest.raises(Refused, match="not on this farm"):
        home.submit(scene=f"archive:{'0' * 64}/a.obj")


def test_a_bundle_goes_along_with_all_its_files(home):
    scene = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
    texture = b"not looked at"
    files = {"in/a.obj": hashlib.sha256(scene).hexdigest(), "tex/b.png": hashlib.sha256(texture).hexdigest()}
    manifest = json.dumps({"format": 1, "scene": "in/a.obj", "files": files}).encode()
    kept = {hashlib.sha256(data).hexdigest(): data for data in (scene, texture, manifest)}
    for digest, data in kept.items():
        incoming = home.store.blobs.incoming(size_max=10**6, free_min=0)
        incoming.write(data)
        incoming.finish()
        home.store.blobs.adopt(incoming.path, digest)
    name = f"bundle:{hashlib.sha256(manifest).hexdigest()}"
    home.submit(scene=name)
    home.rounds()
    assert home.far["branch"].only.payload["scene"] == name
    assert home.far["branch"].blobs == kept


def test_the_whole_road_on_postgresql(cluster, tmp_path):
    home = SiteFarm(tmp_path, database=cluster.url())
    far = home.far["branch"]
    job = home.submit(frames="1-2", renderer="kernel", split={"samples": 18})
    home.rounds()
    far.render(far.only.number, frames=1)
    home.rounds()
    home.run(controlling.cancel_job(home.farm, job, "anna"))
    home.rounds()
    home.run(controlling.retry_job(home.farm, job, "anna"))
    home.rounds()
    far.render("00002")
    home.rounds()
    assert home.row(job).status == JobStatus.SUCCEEDED
    far.end("00002", JobStatus.FAILED, "")
    assert [row.outcome for row in home.handovers(job)] == ["CANCELED", "HOME"]
    failing = home.submit(frames="1-2", renderer="kernel", split={"tiles": [2, 1]})
    home.rounds()
    far.end("00003", JobStatus.FAILED, "broken")
    home.rounds(4)
    assert home.row(failing).status == JobStatus.FAILED
    home.close()
