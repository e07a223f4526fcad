"""Ripple, retry, doubt, expiry: each a pure function, each with its rules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.expiry import LeaseView, Rhythm, expired, next_sync_s
from scheduler.domain.retrying import (
    FAST_FAILURES_MAX,
    PROBATION_FIRST_S,
    TROUBLES_MAX,
    FailedAttempt,
    FailureClass,
    WorkerRecord,
    decide_retry,
    judge_worker,
)
from scheduler.domain.ripple import TaskCounts, job_event
from scheduler.domain.states import JOB_TRANSITIONS, TERMINAL_JOBS, JobEvent, JobStatus, may


@pytest.mark.parametrize(
    ("status", "counts", "event"),
    [
        (JobStatus.QUEUED, TaskCounts(ready=3), None),
        (JobStatus.QUEUED, TaskCounts(ready=2, leased=1), JobEvent.START),
        (JobStatus.RUNNING, TaskCounts(ready=3), None),
        (JobStatus.RUNNING, TaskCounts(succeeded=3), JobEvent.FINISH),
        (JobStatus.PAUSED, TaskCounts(succeeded=3), JobEvent.FINISH),
        (JobStatus.RUNNING, TaskCounts(succeeded=2, failed=1), JobEvent.EXHAUST),
        (JobStatus.RUNNING, TaskCounts(succeeded=2, failed=1, blocked=4), JobEvent.EXHAUST),
        (JobStatus.RUNNING, TaskCounts(ready=1, failed=1), None),
        (JobStatus.RUNNING, TaskCounts(leased=1, failed=1), None),
        (JobStatus.RUNNING, TaskCounts(ready=500, failed=5), JobEvent.EXHAUST),
        (JobStatus.CANCELED, TaskCounts(succeeded=3), None),
    ],
)
def test_what_counts_call_for(status, counts, event):
    ripple = job_event(status, counts, failed_tasks_max=5)
    assert (ripple.event if ripple else None) is event
    if ripple:
        assert ripple.reason


counts = st.builds(TaskCounts, *(st.integers(0, 4) for _ in range(6)))


@given(st.sampled_from(JobStatus), counts)
def test_ripple_only_asks_for_moves_that_the_table_has(status, counts):
    ripple = job_event(status, counts, failed_tasks_max=3)
    if ripple is not None:
        assert may(JOB_TRANSITIONS, status, ripple.event)
        assert status not in TERMINAL_JOBS


@given(
    st.sampled_from(FailureClass),
    st.integers(0, 5),
    st.integers(0, 30),
    st.integers(1, 5),
    st.booleans(),
    st.floats(0, 100),
)
def test_only_user_failures_spend_the_users_attempts(
    failure, user_failures, troubles, max_attempts, others, retry_after_s
):
    decision = decide_retry(FailedAttempt(failure, user_failures, troubles, max_attempts, others, retry_after_s))
    assert decision.user_failures == user_failures + (failure is FailureClass.USER)
    assert decision.troubles == troubles + (failure is not FailureClass.USER)
    if failure is FailureClass.USER:
        assert decision.retry == (decision.user_failures < max_attempts and decision.troubles < TROUBLES_MAX)
    else:
        assert decision.retry == (decision.troubles < TROUBLES_MAX)
    assert decision.delay_s >= (retry_after_s if decision.retry else 0.0)
    assert decision.reason


def test_a_retry_prefers_another_worker_only_where_there_is_one():
    assert decide_retry(FailedAttempt(FailureClass.USER, 0, 0, 3, other_workers=True)).avoid_s > 0
    assert decide_retry(FailedAttempt(FailureClass.USER, 0, 0, 3, other_workers=False)).avoid_s == 0
    assert decide_retry(FailedAttempt(FailureClass.PREEMPTED, 0, 0, 3, other_workers=True)).avoid_s == 0


def test_trouble_backs_off_and_ends():
    delays = [
        decide_retry(FailedAttempt(FailureClass.LICENCE, 0, n, 3, False)).delay_s for n in range(TROUBLES_MAX - 1)
    ]
    assert delays == sorted(delays)
    assert delays[0] == 15.0
    assert not decide_retry(FailedAttempt(FailureClass.LICENCE, 0, TROUBLES_MAX - 1, 3, False)).retry


def test_a_black_hole_costs_three_tasks():
    record = WorkerRecord()
    for n in range(FAST_FAILURES_MAX):
        verdict = judge_worker(record, succeeded=False, seconds=0.05, failure=FailureClass.USER)
        assert verdict.suspect == (n == FAST_FAILURES_MAX - 1)
        record = verdict.record
    assert record.on_probation
    assert verdict.pause_s == PROBATION_FIRST_S
    again = judge_worker(record, succeeded=False, seconds=0.05, failure=FailureClass.USER)
    assert again.pause_s == 2 * PROBATION_FIRST_S
    assert not again.suspect
    redeemed = judge_worker(again.record, succeeded=True, seconds=1.0, failure=FailureClass.INFRA)
    assert redeemed.redeem
    assert redeemed.record.fast_failures == 0
    assert not redeemed.record.on_probation


def test_slow_failures_success_and_licences_do_not_doubt_a_worker():
    record = WorkerRecord(2)
    assert judge_worker(record, succeeded=False, seconds=60.0, failure=FailureClass.USER).record == record
    assert judge_worker(record, succeeded=False, seconds=0.1, failure=FailureClass.LICENCE).record == record
    assert judge_worker(record, succeeded=True, seconds=0.1, failure=FailureClass.INFRA).record.fast_failures == 0


@given(st.lists(st.floats(0, 1000), max_size=30), st.floats(0, 1000))
def test_expiry_is_lease_and_grace_after_the_last_renewal(renewals, now_s):
    rhythm = Rhythm(20, 6, 10)
    leases = [LeaseView(i, 1, "w", renewed) for i, renewed in enumerate(renewals)]
    gone = expired(leases, now_s, rhythm)
    assert {lease.task for lease in gone} == {i for i, renewed in enumerate(renewals) if now_s - renewed > 30}
    assert [lease.renewed_s for lease in gone] == sorted(lease.renewed_s for lease in gone)


def test_the_sync_interval_stretches_with_the_farm_but_stays_within_the_lease():
    rhythm = Rhythm(20, 6, 10)
    assert next_sync_s(1, rhythm, syncs_per_s_max=1000) == 6
    assert next_sync_s(10_000, rhythm, syncs_per_s_max=1000) == 10
    assert next_sync_s(1_000_000, rhythm, syncs_per_s_max=1000) == 15
