"""Sharing a rectangle out over threads."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.kernel.blocks import RUN_PIXELS, Crew, plan_blocks

sides = st.integers(1, 200)


@given(sides, sides, st.integers(0, 50), st.integers(1, 4096), st.integers(1, 4097), st.integers(1, 16))
def test_blocks_cover_the_rectangle_once(w: int, h: int, left: int, samples: int, rays: int, threads: int) -> None:
    plan = plan_blocks((left, 5, left + w, 5 + h), samples, rays, rays_max=50_000, threads=threads)
    seen = np.zeros((h, w), int)
    for number in range(plan.total):
        x0, y0, x1, y1 = plan.block(number)
        assert x0 < x1
        assert y0 < y1
        seen[y0 - 5 : y1 - 5, x0 - left : x1 - left] += 1
        pixels = (x1 - x0) * (y1 - y0)
        assert pixels <= RUN_PIXELS or pixels * samples * rays <= 50_000
        assert plan.samples_step == 1 or pixels * plan.samples_step * rays <= 50_000
    assert (seen == 1).all()


def test_there_are_blocks_for_every_thread() -> None:
    assert plan_blocks((0, 0, 256, 256), 4, 65, rays_max=1_000_000, threads=2).total >= 20


@given(st.integers(0, 40), st.integers(1, 5))
def test_every_block_is_rendered_once(total: int, threads: int) -> None:
    crew = Crew()
    done: list[int] = []
    reported: list[int] = []
    crew.run(total, done.append, threads=threads, done=reported.append)
    crew.close()
    assert sorted(done) == list(range(total))
    assert reported == sorted(reported)


def test_the_calling_thread_and_the_crew_work_side_by_side() -> None:
    crew = Crew()
    together = threading.Barrier(2, timeout=10)
    crew.run(2, lambda number: together.wait() and None, threads=2, done=lambda done: None)
    crew.close()


@pytest.mark.parametrize("threads", [1, 2])
def test_an_exception_ends_the_work(threads: int) -> None:
    crew = Crew()
    started: list[int] = []

    def render(number: int) -> None:
        started.append(number)
        if number == 3:
            raise ArithmeticError("block 3")

    with pytest.raises(ArithmeticError, match="block 3"):
        crew.run(10_000, render, threads=threads, done=lambda done: None)
    assert len(started) < 10_000
    crew.close()


def test_a_crew_can_be_closed_twice_and_used_again() -> None:
    crew = Crew()
    for _ in range(2):
        done: list[int] = []
        crew.run(8, done.append, threads=2, done=lambda taken: None)
        assert len(done) == 8
        crew.close()
        crew.close()
