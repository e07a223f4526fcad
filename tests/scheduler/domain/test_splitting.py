"""Splitting: everything is rendered exactly once, and every part has exactly one reader."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.splitting import FLAT_FAN_IN_MAX, SplitRequest, split_job, task_count

requests = st.builds(
    SplitRequest,
    frames=st.lists(st.integers(-50, 50), min_size=1, max_size=12, unique=True).map(tuple),
    chunk=st.integers(1, 5),
    tiles=st.none() | st.tuples(st.integers(1, 7), st.integers(1, 7)),
    samples=st.none() | st.integers(1, 9),
)


@given(requests)
def test_every_part_of_every_frame_is_rendered_once(request):
    steps = split_job(request)
    renders = [task for step in steps if step.kind == "render" for task in step.tasks]
    rendered = Counter((frame, task.tile, task.slice) for task in renders for frame in task.frames)
    assert set(rendered.values()) == {1}
    assert len(rendered) == len(request.frames) * request.parts_per_frame
    assert {frame for frame, _tile, _slice in rendered} == set(request.frames)


@given(requests)
def test_every_frame_is_made_once_from_all_its_parts(request):
    steps = {step.index: step for step in split_job(request)}
    finals = [step for step in steps.values() if step.final]
    assert len(finals) == 1
    made = [frame for task in finals[0].tasks for frame in task.frames]
    assert made == list(request.frames)
    fed = Counter(task.feeds for step in steps.values() for task in step.tasks if task.feeds)
    for step in steps.values():
        for task in step.tasks:
            assert task.waiting == fed.get((step.index, task.seq), 0)
            assert (task.feeds is None) == step.final
            if task.feeds:
                reader = steps[task.feeds[0]].tasks[task.feeds[1]]
                assert reader.frames == task.frames
                assert steps[task.feeds[0]].level > step.level


@given(requests)
def test_the_count_is_known_beforehand(request):
    assert task_count(request) == sum(len(step.tasks) for step in split_job(request))


@pytest.mark.parametrize("parts", [2, FLAT_FAN_IN_MAX, FLAT_FAN_IN_MAX + 1, 64, 100, 1000])
def test_many_parts_are_merged_in_a_tree_of_fan_in_root_n(parts):
    steps = split_job(SplitRequest((1,), samples=parts))
    merges = [step for step in steps if step.kind == "merge"]
    if parts <= FLAT_FAN_IN_MAX:
        assert [task.waiting for task in merges[0].tasks] == [parts]
        return
    widest = max(task.waiting for step in merges for task in step.tasks)
    assert widest <= math.ceil(math.sqrt(parts))
    assert len(merges) == 2


def test_chunks_share_out_whole_frames():
    (step,) = split_job(SplitRequest(tuple(range(1, 11)), chunk=4))
    assert [task.frames for task in step.tasks] == [(1, 2, 3, 4), (5, 6, 7, 8), (9, 10)]


def test_slices_are_outside_so_that_a_whole_picture_comes_first():
    steps = split_job(SplitRequest((1,), tiles=(2, 1), samples=2))
    order = [(task.slice.index, task.tile.col) for task in steps[0].tasks]
    assert order == [(0, 0), (0, 1), (1, 0), (1, 1)]
