"""The two threads: what is kept is sent, what is followed is shown, and both end at once when they are told to."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from fake_farm import TOKEN
from outfield_core.client import Client
from outfield_core.following import Follower
from outfield_core.sender import Sender
from spooled import keep, leftovers


def until(condition, within_s=10.0):
    pause, end = threading.Event(), time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        pause.wait(0.005)


@pytest.fixture
def sender(farm, spool, cache):
    made = Sender(spool, cache, lambda: Client(farm.url, TOKEN, timeout_s=5))
    yield made
    farm.hang.set()
    made.stop(5)


@pytest.fixture
def follower(farm, tmp_path):
    made = Follower(str(tmp_path), lambda: Client(farm.url, TOKEN, timeout_s=5))
    yield made
    farm.hang.set()
    made.stop(5)


def test_what_is_kept_is_sent_at_the_start_and_what_comes_later_at_a_kick(farm, spool, sender):
    keep(spool, farm.url, name="before")
    sender.start()
    until(lambda: len(sender.outcomes) == 1)
    keep(spool, farm.url, name="after")
    sender.kick()
    until(lambda: len(sender.outcomes) == 2)

    assert [outcome.job["name"] for outcome in sender.outcomes] == ["before", "after"]
    until(lambda: not sender.busy)
    assert sender.kept == ()


def test_stopping_in_the_middle_is_quick_and_loses_nothing(farm, spool, sender):
    keep(spool, farm.url)
    farm.hangs_on = "PUT /blobs/"
    sender.start()
    assert farm.entered.wait(10)
    began = time.monotonic()
    sender.stop()

    assert time.monotonic() - began < 1.0
    farm.hang.set()
    assert sender.join(10)
    assert len(spool.waiting()) + len(farm.jobs) >= 1
    assert len(farm.jobs) <= 1


def test_cancel_stops_within_half_a_second_and_leaves_nothing(farm, spool, cache, tmp_path):
    big = tmp_path / "big.exr"
    with big.open("wb") as file:
        file.truncate(8 * 2**30)
    keep(spool, farm.url, files=(str(big),))
    sender = Sender(spool, cache, lambda: Client(farm.url, TOKEN))
    sender.start()
    until(lambda: sender.watch.stage == "hashing" and sender.watch.done_bytes > 0)
    began = time.monotonic()
    sender.cancel()
    until(lambda: sender.outcomes)

    assert time.monotonic() - began < 0.5
    assert sender.outcomes[0].error.code == "canceled"
    sender.stop(5)
    assert leftovers(spool) == []


def test_nothing_is_asked_while_it_is_not_allowed(farm, spool, cache, tmp_path):
    keep(spool, farm.url)
    sender = Sender(spool, cache, lambda: None)
    follower = Follower(str(tmp_path), lambda: None)
    sender.start()
    follower.start()
    until(lambda: sender.kept and not sender.busy and follower.view.version > 0)
    sender.stop(5)
    follower.stop(5)

    assert farm.asked == []
    assert not follower.view.is_live


def test_the_farm_is_followed_and_its_absence_told(farm, follower):
    farm.jobs.append({"jobID": "00001", "name": "shot", "status": "RUNNING", "progress": {"total": 4, "done": 1}})
    follower.touch(time.monotonic())
    follower.start()
    until(lambda: follower.view.is_live)
    assert [(job.name, job.fraction) for job in follower.view.jobs] == [("shot", 0.25)]
    farm.bad["GET /info"] = (503, {"code": "shutting_down", "hint": "Wait."})
    follower.kick()
    until(lambda: follower.view.error is not None)
    assert not follower.view.is_live
    assert follower.view.jobs, "what was known stays"


@pytest.mark.parametrize("body", [b"[]", b'{"data": []}', b'{"data": {"renderers": 3}}'])
def test_what_is_no_farm_does_not_end_the_thread(farm, follower, body):
    farm.bad["GET /info"] = (200, body)
    follower.start()
    until(lambda: follower.view.error is not None or follower.view.is_live)
    farm.bad.clear()
    follower.kick()
    until(lambda: follower.view.is_live)


def test_orders_leave_a_line_each(farm, follower):
    follower.start()
    until(lambda: follower.view.is_live)
    farm.bad["POST /jobs/00001/retry"] = (409, {"code": "wrong_state", "hint": "It runs."})
    for order in (follower.cancel, follower.pause, follower.resume, follower.retry):
        order("00001")
    follower.prioritise("00001", 70)
    until(lambda: len(follower.notes) == 5)

    assert [good for good, _ in follower.notes] == [True, True, True, False, True]
    posts = [each for each in farm.asked if each.startswith("POST")]
    assert posts == [f"POST /jobs/00001/{word}" for word in ("cancel", "pause", "resume", "retry", "priority")]


def test_a_frame_comes_as_a_file(farm, follower):
    farm.bad["GET /jobs/00001/frames/7"] = (200, b"pixels")
    follower.start()
    follower.fetch_frame("00001", 7)
    until(lambda: follower.fetched)
    job, frame, path = follower.fetched[0]

    assert (job, frame) == ("00001", 7)
    assert Path(path).read_bytes() == b"pixels"


def test_what_would_become_of_a_job(farm, follower):
    farm.bad["POST /rules/test"] = (200, b'{"data": {"rank": {"position": 3}}}')
    follower.start()
    follower.try_job({"name": "x"})
    until(lambda: follower.view.trial is not None)
    assert follower.view.trial["rank"]["position"] == 3
    follower.try_job({"name": "y"})
    assert follower.view.trial is None


def test_stopping_while_the_farm_hangs_is_quick(farm, follower):
    farm.hangs_on = "GET /info"
    follower.start()
    assert farm.entered.wait(10)
    began = time.monotonic()
    follower.stop()
    assert time.monotonic() - began < 1.0
