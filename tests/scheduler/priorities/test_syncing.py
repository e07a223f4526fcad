"""The farm follows what production changes: priorities, deadlines, deletions; with the real client over HTTP."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from fake_shotgrid import FakeShotGrid
from tracked_farm import TrackedFarm

from scheduler.priorities.reading import EVENT_WINDOW

Link = dict[str, Any]


def read_kinds(fake: FakeShotGrid, since: int) -> list[str]:
    return [seen.params[0]["type"] for seen in fake.requests[since:] if seen.method == "read"]


def test_a_tier_that_is_raised_is_heard_with_the_next_sync(
    tracked: TrackedFarm, fake: FakeShotGrid, task: Link
) -> None:
    job = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    assert (tracked.job(job).tracked_priority, tracked.job(job).tracked_source) == (30, "Task.sg_priority_1")

    fake.change(task, sg_priority_1="1_Tier")
    tracked.wait(tracked.shotgrid.sync_interval_s + 1)

    assert tracked.job(job).tracked_priority == 90
    assert [w["new"]["priority"] for w in tracked.wishes(job)] == [30, 90]


def test_tiers_numbers_and_nulls_fall_back_along_the_chain(
    tracked: TrackedFarm, fake: FakeShotGrid, alpha: Link, shot: Link, task: Link
) -> None:
    job = tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh010", "task": "light"})
    seen: list[tuple[int | None, str | None]] = []
    for link, values in (
        (task, {"sg_priority_1": "2_Tier"}),
        (task, {"sg_priority_1": None}),
        (shot, {"sg_priority": "Low"}),
        (shot, {"sg_priority": None}),
        (alpha, {"sg_priority": 45}),
        (alpha, {"sg_priority": None}),
    ):
        fake.change(link, **values)
        tracked.follow()
        seen.append((tracked.job(job).tracked_priority, tracked.job(job).tracked_source))

    assert seen == [
        (60, "Task.sg_priority_1"),
        (None, None),
        (20, "Shot.sg_priority"),
        (None, None),
        (45, "Project.sg_priority"),
        (None, None),
    ]


def test_a_deadline_that_moves(tracked: TrackedFarm, fake: FakeShotGrid, task: Link) -> None:
    job = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    for day in (5, 3):
        fake.change(task, due_date=f"2026-12-{day:02}")
        tracked.follow()
        assert tracked.job(job).tracked_deadline == datetime(2026, 12, day, 18, tzinfo=UTC).timestamp()

    fake.change(task, due_date=None)
    tracked.follow()
    assert tracked.job(job).tracked_deadline is None


def test_a_deleted_task_leaves_the_job_its_own_priority_and_comes_back(
    tracked: TrackedFarm, fake: FakeShotGrid, task: Link
) -> None:
    job = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    fake.retire(task)
    tracked.follow()
    row = tracked.job(job)
    assert (row.tracked_priority, row.tracked_deadline, row.priority) == (None, None, 50)
    assert row.tracked_source == f"Task {task['id']} (light) is not there any more in ShotGrid"

    fake.revive(task)
    tracked.follow()
    assert tracked.job(job).tracked_priority == 30


def test_a_task_that_never_was_is_no_error(tracked: TrackedFarm, fake: FakeShotGrid, task: Link) -> None:
    job = tracked.submit(renderer="null", tracking={"task_id": 424242})
    tracked.follow()

    assert tracked.tracker.state().error is None
    assert tracked.job(job).tracked_source == "Task 424242 is not there any more in ShotGrid"


def test_a_shot_that_is_made_later_is_found(tracked: TrackedFarm, fake: FakeShotGrid, alpha: Link) -> None:
    job = tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh777"})
    tracked.follow()
    assert tracked.job(job).tracked_priority is None

    fake.add("Shot", code="sh777", project=alpha, sg_priority="High")
    tracked.follow()
    assert tracked.job(job).tracked_priority == 80


def test_only_what_jobs_refer_to_is_read(tracked: TrackedFarm, fake: FakeShotGrid, alpha: Link, shot: Link) -> None:
    for number in range(50):
        fake.add("Shot", code=f"other{number}", project=alpha)
    tracked.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh010"})
    tracked.follow()

    assert set(tracked.remembered().entities) == {("Project", alpha["id"]), ("Shot", shot["id"])}

    since = len(fake.requests)
    fake.change({"type": "Shot", "id": shot["id"] + 2}, sg_priority="High")
    tracked.follow()
    assert read_kinds(fake, since) == ["EventLogEntry"]


def test_events_that_come_late_and_out_of_order_are_not_missed(
    tracked: TrackedFarm, fake: FakeShotGrid, task: Link
) -> None:
    job = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    fake.change(task, sg_priority_1="1_Tier")
    late = max(key for key in fake.site.entities if key[0] == "EventLogEntry")
    event = fake.site.entities.pop(late)
    fake.change(task, start_date="2026-11-01")  # a later number is seen first
    tracked.follow()
    assert tracked.job(job).tracked_priority == 30

    fake.site.entities[late] = event
    tracked.follow()
    assert tracked.job(job).tracked_priority == 90
    assert EVENT_WINDOW >= 100


def test_a_change_without_an_event_is_found_by_the_sweep(tracked: TrackedFarm, fake: FakeShotGrid, task: Link) -> None:
    job = tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    fake.site.events_off = True
    fake.change(task, sg_priority_1="1_Tier")
    tracked.follow()
    assert tracked.job(job).tracked_priority == 30

    tracked.wait(tracked.shotgrid.sweep_interval_s + tracked.shotgrid.sync_interval_s)
    assert tracked.job(job).tracked_priority == 90


def test_a_new_job_has_its_wish_at_once_after_a_restart(tracked: TrackedFarm, fake: FakeShotGrid, task: Link) -> None:
    tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    fake.down = True
    tracked.restart()

    wish = tracked.tracker.glance({"task_id": task["id"]})

    assert wish is not None
    assert (wish.priority, wish.source) == (30, "Task.sg_priority_1")
    assert tracked.tracker.state().age_s == 0.0


def test_another_site_starts_from_nothing(tracked: TrackedFarm, fake: FakeShotGrid, task: Link) -> None:
    tracked.submit(renderer="null", tracking={"task_id": task["id"]})
    tracked.follow()
    tracked.shotgrid = tracked.shotgrid.model_copy(update={"url": fake.url.replace("127.0.0.1", "localhost")})
    tracked.restart()

    assert tracked.remembered().entities == {}
    assert tracked.tracker.state().last_success_at is None


def test_the_date_of_the_next_review_counts(tmp_path: Any, fake: FakeShotGrid) -> None:
    farm = TrackedFarm(tmp_path, fake, deadline={"review": True})
    alpha = fake.add("Project", name="Alpha")
    shot = fake.add("Shot", code="sh010", project=alpha, sg_due_date="2026-03-01")
    version = fake.add("Version", code="v1", project=alpha, entity=shot)
    dailies = fake.add(
        "Playlist", code="dailies", project=alpha, versions=[version], sg_date_and_time="2026-01-05T10:00:00Z"
    )
    job = farm.submit(renderer="null", tracking={"project": "Alpha", "shot": "sh010"})
    farm.follow()
    assert farm.job(job).tracked_deadline == datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()

    fake.change(dailies, sg_date_and_time="2026-01-07T10:00:00Z")
    farm.follow()
    assert farm.job(job).tracked_deadline == datetime(2026, 1, 7, 10, tzinfo=UTC).timestamp()

    farm.wait(0)
    farm.clock.advance(7 * 86_400)
    farm.follow()
    assert farm.job(job).tracked_deadline == datetime(2026, 3, 1, 18, tzinfo=UTC).timestamp()
    farm.close()


def test_points_for_a_status_come_on_top(tmp_path: Any, fake: FakeShotGrid, task: Link) -> None:
    farm = TrackedFarm(tmp_path, fake, status={"boost": {"rev": 15}})
    job = farm.submit(renderer="null", tracking={"task_id": task["id"]})
    fake.change(task, sg_status_list="rev")
    farm.follow()

    row = farm.job(job)
    assert (row.tracked_priority, row.tracked_source) == (45, "Task.sg_priority_1 + Task.sg_status_list rev")
    farm.close()
