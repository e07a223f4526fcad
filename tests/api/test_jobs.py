"""Jobs over HTTP: lists, pages, and what people do to them."""

from __future__ import annotations

import pytest
from api_client import ServedFarm

from scheduler.service.identity import Role


def test_the_smallest_submission(served: ServedFarm) -> None:
    response = served.call("POST", "/new_job", content=b'{"name": "hello"}', headers={"Content-Type": "x-www-form"})
    job = response.json()["data"]

    assert response.status_code == 201
    assert (job["jobID"], job["name"], job["status"], job["jobs-status"]) == ("00001", "hello", "QUEUED", "QUEUED")
    assert (job["renderer"], job["user"], job["frames"]) == ("kernel", "user", "1")
    assert served.data("GET", "/jobs/00001") == job
    assert served.data("GET", "/jobs/1") == job


def test_a_list_entry_says_how_far_the_job_is(served: ServedFarm) -> None:
    job = served.post_job(renderer="null", frames="1-4", tracking={"shot": "sh010", "project": "Alpha"})
    first, second = served.lease(2)
    report = {"task": first.task, "attempt": 1, "secret": first.secret, "outcome": "done"}
    served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"reports": [report]})

    (entry,) = served.data("GET", "/jobs")

    assert second.task != first.task
    assert entry["jobID"] == job
    assert entry["progress"] == {"total": 4, "done": 1, "running": 1, "failed": 0, "waiting": 2, "canceled": 0}
    assert (entry["shot"], entry["project"], entry["status"]) == ("sh010", "Alpha", "RUNNING")


def test_pages_do_not_overlap_and_miss_nothing(served: ServedFarm) -> None:
    jobs = [served.post_job(renderer="null") for _ in range(7)]
    seen: list[str] = []
    response = served.call("GET", "/jobs?limit=3")
    while True:
        seen += [job["jobID"] for job in response.json()["data"]]
        if len(seen) == 3:
            served.post_job(renderer="null", name="meanwhile")
        if "x-next-cursor" not in response.headers:
            break
        link = response.headers["link"]
        assert link.endswith('>; rel="next"')
        response = served.call("GET", link[1 : link.index(">")])

    assert seen == jobs[::-1]


def test_filters(served: ServedFarm) -> None:
    first = served.post_job(renderer="null", tracking={"shot": "sh010"})
    second = served.post_job(renderer="null", paused=True)
    served.tokens["other"] = served.run(served.identity.new_token("other", Role.USER))[1]
    third = served.data("POST", "/new_job", "other", json={"name": "x", "renderer": "null"})["jobID"]

    def found(query: str) -> set[str]:
        return {job["jobID"] for job in served.data("GET", f"/jobs?{query}")}

    assert found("shot=sh010") == {first}
    assert found("status=paused") == {second}
    assert found("status=QUEUED,PAUSED") == {first, second, third}
    assert found("user=other") == {third}
    assert found("user=nobody") == set()


@pytest.mark.parametrize("address", ["/jobs?jobID=00001", "/jobs/00001", "/jobs/1"])
def test_delete(served: ServedFarm, address: str) -> None:
    served.post_job(renderer="null", frames="1-3")
    (lease,) = served.lease()

    response = served.call("DELETE", address)

    assert (response.status_code, response.json()["data"]) == (200, "00001")
    assert served.data("GET", "/jobs") == []
    assert served.call("DELETE", address).status_code == 404
    for path in ("", "/tasks", "/frames", "/events", "/why", "/archive", "/sheet"):
        assert served.call("GET", f"/jobs/00001{path}").status_code == 404, path
    running = [{"task": lease.task, "attempt": 1}]
    reply = served.data("POST", f"/workers/{served.worker}/sync", "worker", json={"running": running})
    assert reply["cancel"] == running


def test_pause_resume_cancel_retry(served: ServedFarm) -> None:
    job = served.post_job(renderer="null")

    assert served.data("POST", f"/jobs/{job}/pause")["status"] == "PAUSED"
    assert served.data("POST", f"/jobs/{job}/resume")["status"] == "QUEUED"
    assert served.data("POST", f"/jobs/{job}/cancel")["status"] == "CANCELED"
    paused = served.call("POST", f"/jobs/{job}/pause")
    assert (paused.status_code, paused.json()["data"]["code"]) == (409, "job_state")
    assert served.data("POST", f"/jobs/{job}/retry")["status"] == "QUEUED"
    by = [
        event["data"]["reason"] for event in served.data("GET", f"/jobs/{job}/events") if event["kind"] == "job.status"
    ]
    assert by == ["paused by user", "resumed by user", "canceled by user", "retried by user"]


def test_retry_names_frames(served: ServedFarm) -> None:
    job = served.post_job(renderer="null", frames="1-3")
    served.call("POST", f"/jobs/{job}/cancel")

    wrong = served.call("POST", f"/jobs/{job}/retry", json={"frames": "1-x"})
    unknown = served.call("POST", f"/jobs/{job}/retry", json={"frame": "1"})
    shown = served.data("POST", f"/jobs/{job}/retry", json={"frames": "2"})

    assert (wrong.status_code, wrong.json()["data"]["code"]) == (422, "invalid_frames")
    assert unknown.json()["data"]["hint"] == "Did you mean 'frames'?"
    assert (shown["progress"]["waiting"], shown["progress"]["canceled"]) == (1, 2)


@pytest.mark.parametrize(("priority", "status"), [(0, 200), (100, 200), (101, 422), (-1, 422), ("5", 422), (None, 422)])
def test_priority(shared_farm: ServedFarm, priority: object, status: int) -> None:
    job = shared_farm.post_job(renderer="null")
    response = shared_farm.call("POST", f"/jobs/{job}/priority", json={"priority": priority})

    assert response.status_code == status
    assert shared_farm.data("GET", f"/jobs/{job}")["priority"] == (priority if status == 200 else 50)


@pytest.mark.parametrize(
    "request_",
    [
        {"params": {"jobID": "00002"}},
        {"data": {"jobID": "00002"}},
        {"json": {"jobID": "00002"}},
        {"content": b'{"jobID": "00002"}', "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    ],
)
def test_cancel_as_in_the_first_design(served: ServedFarm, request_: dict[str, object]) -> None:
    served.post_job(renderer="null")
    served.post_job(renderer="null")

    shown = served.data("POST", "/jobs/cancel", **request_)

    assert (shown["jobID"], shown["status"]) == ("00002", "CANCELED")
    assert served.data("GET", "/jobs/1")["status"] == "QUEUED"


def test_cancel_without_a_name_takes_the_callers_oldest_running_job(served: ServedFarm) -> None:
    assert served.call("POST", "/jobs/cancel").json()["data"]["code"] == "no_running_job"
    served.data("POST", "/new_job", "admin", json={"name": "another's", "renderer": "null", "priority": 90})
    mine = [served.post_job(renderer="null") for _ in range(2)]
    assert len(served.lease(3)) == 3

    shown = served.data("POST", "/jobs/cancel")

    assert (shown["jobID"], shown["status"]) == (mine[0], "CANCELED")


def test_tasks_by_page_and_status(served: ServedFarm) -> None:
    job = served.post_job(renderer="kernel", frames="1-2", split={"tiles": [2, 2]})
    served.lease(3)

    page = served.call("GET", f"/jobs/{job}/tasks?limit=6")
    rest = served.data("GET", f"/jobs/{job}/tasks?limit=6&cursor={page.headers['x-next-cursor']}")
    tasks = page.json()["data"] + rest

    assert len({task["task"] for task in tasks}) == len(tasks) == 10
    assert {task["kind"] for task in tasks} == {"render", "merge"}
    assert [0, 0, 2, 2] in [task["tile"] for task in tasks if task["frames"] == [1]]
    assert len(served.data("GET", f"/jobs/{job}/tasks?status=LEASED")) == 3
    assert served.call("GET", f"/jobs/{job}/tasks?status=ASLEEP").status_code == 422
    assert served.call("GET", f"/jobs/{job}/tasks?cursor=x").status_code == 422


def test_events_by_page(served: ServedFarm) -> None:
    job = served.post_job(renderer="null")
    for _ in range(3):
        served.call("POST", f"/jobs/{job}/pause")
        served.call("POST", f"/jobs/{job}/resume")

    page = served.call("GET", f"/jobs/{job}/events?limit=4")
    rest = served.data("GET", f"/jobs/{job}/events?cursor={page.headers['x-next-cursor']}")
    events = page.json()["data"] + rest

    assert [event["kind"] for event in events] == ["job.submitted"] + ["job.status"] * 6
    assert {event["jobID"] for event in events} == {job}


def test_why(served: ServedFarm) -> None:
    job = served.post_job(renderer="null", requires={"gpus": 9})

    why = served.data("GET", f"/jobs/{job}/why")

    assert {"rank", "route", "waiting", "estimate", "tracking"} <= set(why)
    assert why["waiting"][0]["tasks"] == 1
