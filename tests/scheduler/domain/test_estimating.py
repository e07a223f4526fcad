"""Frame times: robust, gentle with few samples, ordered, and the same on every scale."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.estimating import (
    FrameKey,
    FrameTime,
    Summary,
    estimate,
    scene_key,
    share_left,
    summarise,
    surroundings,
    weighted_median,
    work_kind,
)

KEY = FrameKey("Alpha", "blender", "sh010.blend", "render")
NOTHING = summarise(())
seconds = st.floats(min_value=0.01, max_value=1e5)
samples = st.lists(seconds, max_size=60)


def told(
    job: list[float] | None = None, scene: list[float] | None = None, project: list[list[float]] | None = None
) -> FrameTime:
    near = [summarise(each) for each in project or []]
    return estimate(KEY, surroundings("render", near, near), summarise(scene or ()), summarise(job or ()))


@given(samples, samples, st.lists(samples, max_size=4))
def test_intervals_are_ordered_and_positive(job: list[float], scene: list[float], project: list[list[float]]) -> None:
    found = told(job, scene, project)

    assert 0 < found.low_s <= found.mid_s <= found.high_s < math.inf
    assert found.spread >= 0
    assert found.doubt > 0
    assert found.mean_s > 0


@given(st.lists(seconds, min_size=1, max_size=60))
def test_summaries_scale_with_their_samples(found: list[float]) -> None:
    once, twice = summarise(found), summarise([2 * each for each in found])

    assert twice.centre == pytest.approx(once.centre + math.log(2))
    assert twice.spread == pytest.approx(once.spread)
    assert twice.lift == pytest.approx(once.lift)


@given(st.lists(seconds, min_size=1, max_size=20), st.floats(min_value=1.0, max_value=100.0))
def test_slower_frames_are_never_expected_to_be_faster(found: list[float], factor: float) -> None:
    assert told([each * factor for each in found]).mid_s >= told(found).mid_s * (1 - 1e-9)


@given(st.lists(st.tuples(seconds, st.floats(0.1, 10)), min_size=1, max_size=30))
def test_the_weighted_median_halves_the_weight(pairs: list[tuple[float, float]]) -> None:
    values, weights = [value for value, _ in pairs], [weight for _, weight in pairs]
    middle, half = weighted_median(values, weights), sum(weights) / 2

    assert sum(weight for value, weight in pairs if value < middle) <= half * (1 + 1e-9)
    assert sum(weight for value, weight in pairs if value > middle) <= half * (1 + 1e-9)


def test_outliers_do_not_wreck_it() -> None:
    rng = random.Random(1)
    frames = [rng.lognormvariate(math.log(100), 0.1) for _ in range(60)]
    spoilt = [each * (1000 if i % 20 == 0 else 1) for i, each in enumerate(frames)]

    assert told(spoilt).mid_s == pytest.approx(told(frames).mid_s, rel=0.05)
    assert told(spoilt).mean_s < 2 * told(frames).mean_s


def test_the_newest_weigh_more() -> None:
    slower = [100.0] * 60 + [200.0] * 60

    assert told(slower).mid_s > 1.2 * told(list(reversed(slower))).mid_s


def test_few_samples_move_gently_and_many_decide() -> None:
    project = [[50.0 * factor] * 20 for factor in (0.5, 0.7, 1.0, 1.4, 2.0)]
    before = told(project=project).mid_s
    one, many = told([400.0], project=project), told([400.0] * 30, project=project)

    assert before < one.mid_s < many.mid_s
    assert many.mid_s == pytest.approx(400, rel=0.05)
    assert told(project=project).doubt > one.doubt > many.doubt


def test_a_wide_interval_where_nothing_is_known() -> None:
    guess = told()

    assert guess.high_s / guess.low_s > 20
    assert guess.basis == "a guess: nothing has been rendered with blender yet"


@pytest.mark.parametrize(
    ("known", "basis"),
    [
        ({"job": [1.0]}, "1 frame of this job"),
        ({"job": [1.0] * 3, "scene": [1.0] * 9}, "3 frames of this job and 9 of earlier jobs of this scene"),
        ({"scene": [1.0] * 12}, "12 frames of this scene"),
        ({"project": [[1.0] * 200, [1.0] * 40]}, "no frame of this scene yet: 240 frames of Alpha with blender"),
    ],
)
def test_the_basis_is_a_plain_sentence(known: dict[str, list[float]], basis: str) -> None:
    assert told(**known).basis == basis  # type: ignore[arg-type]


def test_another_project_tells_something() -> None:
    other = [summarise([300.0] * 20) for _ in range(5)]
    found = estimate(KEY, surroundings("render", other, []), NOTHING, NOTHING)

    assert found.mid_s == pytest.approx(300, rel=0.2)
    assert found.basis == "no frame of this scene yet: 100 frames with blender"


def test_versions_of_a_scene_are_one_scene() -> None:
    assert scene_key("/shows/a/sh010_v012.blend") == scene_key("/shows/a/sh010_v013.blend")
    assert scene_key("/shows/a/v2/sh010.V3.blend") == "/shows/a/v#/sh010.v#.blend"
    assert scene_key("/shows/vista/sh010.blend") == "/shows/vista/sh010.blend"


def test_kinds_of_work() -> None:
    assert work_kind("render", final=True) == "render"
    assert work_kind("render", final=False) == "part"
    assert work_kind("merge", final=True) == work_kind("merge", final=False) == "merge"


@given(st.floats(0, 1), st.floats(0, 1e5), st.floats(0, 1e5))
def test_what_is_left_is_never_negative(progress: float, elapsed_s: float, task_s: float) -> None:
    assert 0 <= share_left(progress, elapsed_s, task_s) < math.inf


def test_what_is_left_follows_time_and_then_the_task_itself() -> None:
    assert share_left(0.0, 0, 100) == 1.0
    assert share_left(0.0, 40, 100) == pytest.approx(0.6)
    assert share_left(0.0, 400, 100) == pytest.approx(2.0)  # an outlier: half of what it took is still to come
    assert share_left(0.9, 900, 100) > 0.8  # it says itself that it needs 100 s more
    assert share_left(1.0, 50, 100) == 0.0


def test_a_summary_of_nothing_weighs_nothing() -> None:
    assert Summary(0.0, NOTHING.spread, 0.0, 0, NOTHING.lift) == NOTHING
    with pytest.raises(ValueError, match="nothing"):
        weighted_median([], [])
