"""What providers say: read from their own words, and asked of services that are as strict as theirs."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from fake_metadata import FakeMetadata
from hypothesis import given
from hypothesis import strategies as st
from waiting import until

from worker.cloud.notices import (
    Notice,
    aws_action,
    aws_rebalance,
    end_of_life,
    gce_maintenance,
    gce_preempted,
)
from worker.cloud.watching import watchers
from worker.settings import SettingsInvalid, WorkerSettings, load_worker_settings

SEEN_S = 2.0


@pytest.fixture
def metadata() -> Iterator[FakeMetadata]:
    with FakeMetadata() as fake:
        yield fake


@contextmanager
def watching(metadata: FakeMetadata, cloud: str, **more: Any) -> Iterator[queue.SimpleQueue[Notice]]:
    """The watchers of a worker in `cloud`; what they tell."""
    told: queue.SimpleQueue[Notice] = queue.SimpleQueue()
    closing = threading.Event()
    settings = WorkerSettings(server="http://s", cloud=cloud, metadata_url=metadata.url, **more)
    threads = [threading.Thread(target=loop, daemon=True) for loop in watchers(settings, told.put, closing).values()]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        closing.set()
        with metadata.changed:
            metadata.closing = True
            metadata.changed.notify_all()
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


@pytest.mark.parametrize("cloud", ["gce", "aws"])
def test_a_spot_notice_is_seen_within_two_seconds(metadata: FakeMetadata, cloud: str) -> None:
    with watching(metadata, cloud) as told:
        until(lambda: len(metadata.seen) >= 2)
        since = metadata.take_back(cloud)
        notice = told.get(timeout=SEEN_S)
        took_s = time.monotonic() - since
    assert notice.urgent and "takes this Spot" in notice.words
    assert took_s < SEEN_S
    assert told.empty(), "each notice once"


def test_a_machine_that_is_being_taken_when_the_worker_starts_says_so_at_once(metadata: FakeMetadata) -> None:
    metadata.take_back("gce")
    with watching(metadata, "gce") as told:
        assert told.get(timeout=SEEN_S).urgent


def test_gce_is_asked_with_its_header_and_waits_for_a_change(metadata: FakeMetadata) -> None:
    with watching(metadata, "gce"):
        until(lambda: len(metadata.seen) == 2)
        time.sleep(0.3)
        assert sorted(path.rsplit("/", 1)[1] for path, _ in metadata.seen) == ["maintenance-event", "preempted"]
        assert {status for _, status in metadata.seen} == {200}
        metadata.set_gce("maintenance-event", "MIGRATE_ON_HOST_MAINTENANCE")
        until(lambda: len(metadata.seen) == 3)
    assert "wait_for_change=true" in metadata.seen[2][0] and "last_etag=" in metadata.seen[2][0]


def test_a_live_migration_is_no_reason_to_leave(metadata: FakeMetadata) -> None:
    with watching(metadata, "gce") as told:
        until(lambda: len(metadata.seen) >= 2)
        metadata.set_gce("maintenance-event", "MIGRATE_ON_HOST_MAINTENANCE")
        until(lambda: len(metadata.seen) >= 3)
        assert told.empty()
        metadata.set_gce("maintenance-event", "TERMINATE_ON_HOST_MAINTENANCE")
        assert "maintenance" in told.get(timeout=SEEN_S).words


def test_ec2_is_asked_with_a_token_that_is_replaced_when_it_is_not_accepted(metadata: FakeMetadata) -> None:
    with watching(metadata, "aws", metadata_poll_s=0.02) as told:
        until(lambda: len(metadata.seen) > 3)
        assert [status for _, status in metadata.seen[:3]] == [200, 404, 404]
        metadata.tokens.clear()
        metadata.take_back("aws")
        assert told.get(timeout=SEEN_S).urgent
    assert 401 in {status for _, status in metadata.seen}


def test_a_rebalance_recommendation_leaves_time(metadata: FakeMetadata) -> None:
    with watching(metadata, "aws", metadata_poll_s=0.02, drain_s=300) as told:
        metadata.set_aws("events/recommendations/rebalance", {"noticeTime": "2031-01-01T00:00:00Z"})
        notice = told.get(timeout=SEEN_S)
    assert not notice.urgent and notice.grace_s == 300


@pytest.mark.parametrize("cloud", ["gce", "aws"])
def test_a_broken_metadata_service_is_asked_on(metadata: FakeMetadata, cloud: str) -> None:
    metadata.broken = True
    with watching(metadata, cloud, metadata_poll_s=0.02) as told:
        until(lambda: len(metadata.seen) >= 3)
        metadata.broken = False
        metadata.take_back(cloud)
        assert told.get(timeout=SEEN_S).urgent


@pytest.mark.parametrize("cloud", ["none", "slurm"])
def test_nobody_is_asked_on_other_machines(cloud: str) -> None:
    assert watchers(WorkerSettings(server="http://s", cloud=cloud), lambda _: None, threading.Event()) == {}


def test_only_clouds_that_are_known_and_plain_metadata_urls_are_taken() -> None:
    with pytest.raises(SettingsInvalid, match="cloud"):
        load_worker_settings({"server": "http://s"}, {"OUTFIELD_WORKER__CLOUD": "azure"})
    with pytest.raises(SettingsInvalid, match="metadata_url"):
        load_worker_settings({"server": "http://s"}, {"OUTFIELD_WORKER__METADATA_URL": "ftp://x"})


@pytest.mark.parametrize(
    ("answer", "taken"), [("TRUE", True), ("TRUE\n", True), ("FALSE", False), ("", False), ("<html>", False)]
)
def test_gce_preempted(answer: str, taken: bool) -> None:
    assert (gce_preempted(answer) is not None) is taken


@pytest.mark.parametrize(
    ("answer", "ends"),
    [("NONE", False), ("MIGRATE_ON_HOST_MAINTENANCE", False), ("TERMINATE_ON_HOST_MAINTENANCE", True)],
)
def test_gce_maintenance(answer: str, ends: bool) -> None:
    assert (gce_maintenance(answer) is not None) is ends


@given(st.binary(max_size=300))
def test_whatever_ec2_says_there_it_takes_the_instance(document: bytes) -> None:
    notice = aws_action(document)
    assert notice is not None and notice.urgent and len(notice.words) <= 200


def test_ec2_says_when() -> None:
    notice = aws_action(b'{"action": "stop", "time": "2031-01-01T00:00:00Z"}')
    assert notice is not None and "(stop at 2031-01-01T00:00:00Z)" in notice.words
    assert aws_rebalance(b"", 60.0) is None


@pytest.mark.parametrize(
    ("age_s", "task_s", "what"),
    [
        (0.0, None, None),
        (800.0, 10.0, None),
        (840.0, 10.0, "near"),  # 1000 - 45 - 120
        (600.0, 250.0, "near"),  # a task takes longer than what is left
        (499.0, 4000.0, "near"),  # half of its life it works, whatever its tasks take
        (400.0, 4000.0, None),
        (955.0, 10.0, "over"),
        (5000.0, None, "over"),
    ],
)
def test_a_worker_leaves_before_its_time_limit(age_s: float, task_s: float | None, what: str | None) -> None:
    notice = end_of_life(age_s, 1000.0, lead_s=120.0, margin_s=45.0, task_s=task_s)
    assert (notice is None) is (what is None)
    if notice is not None and what is not None:
        assert what in notice.words
        assert notice.urgent is (what == "over")
        assert notice.urgent or notice.grace_s == 955.0 - age_s


def test_no_limit_is_no_end() -> None:
    assert end_of_life(1e9, 0.0, lead_s=120.0, margin_s=45.0, task_s=None) is None
