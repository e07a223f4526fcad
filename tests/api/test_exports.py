"""The farm's history over HTTP, as a trace."""

from __future__ import annotations

import pytest
from api_client import ServedFarm

from scheduler.simulation.traces import read_trace


def test_the_history_is_a_trace(served: ServedFarm) -> None:
    job = served.post_job(renderer="null", frames="1-4", tracking={"shot": "sh010", "project": "Alpha"})

    response = served.call("GET", "/jobs/export")
    trace = read_trace(response.content.splitlines())

    assert response.status_code == 200
    assert response.headers["content-type"].startswith("application/x-ndjson")
    assert [(line.job, line.project, line.frame_count) for line in trace.jobs] == [(job, "Alpha", 4)]


def test_many_jobs_come_in_pages(served: ServedFarm) -> None:
    jobs = [served.post_job(renderer="null") for _ in range(60)]

    trace = read_trace(served.call("GET", "/jobs/export?anonymous=true").content.splitlines())

    assert [line.job for line in trace.jobs] == jobs
    assert {line.owner for line in trace.jobs} == {"user-1"}


@pytest.mark.parametrize(
    "query", ["since=yesterday", "until=2026-13-01", "since=2026-02-01&until=2026-01-01", "anonymous=perhaps"]
)
def test_a_window_that_is_none(served: ServedFarm, query: str) -> None:
    assert served.call("GET", f"/jobs/export?{query}").status_code == 422


def test_workers_may_not_read_it(served: ServedFarm) -> None:
    assert served.call("GET", "/jobs/export", "worker").status_code == 403
