"""How a rectangle of pixels is shared out over threads: small blocks, taken in turn by whoever is free.

An image's cost is never even (a sky costs nothing), and static shares lose half the second core. Blocks are also the
grain of progress and of cancelling. The plan is arithmetic; `Crew` runs it. Kernels release the GIL, so threads do.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

RUN_PIXELS = 16
"""Pixels that a kernel traces side by side; a block is never narrower, except at an edge."""

BLOCKS_PER_THREAD = 10
"""At least so many blocks per thread, so that the last one keeps nobody waiting."""

Rect = tuple[int, int, int, int]


@dataclass(frozen=True)
class BlockPlan:
    """`rect` cut into blocks of `columns` × `rows` pixels, each rendered `samples_step` samples at a time."""

    rect: Rect
    columns: int
    rows: int
    samples_step: int

    @property
    def across(self) -> int:
        """Blocks side by side."""
        return -(-(self.rect[2] - self.rect[0]) // self.columns)

    @property
    def total(self) -> int:
        """Blocks in all."""
        return self.across * -(-(self.rect[3] - self.rect[1]) // self.rows)

    def block(self, number: int) -> Rect:
        """(x0, y0, x1, y1) of block `number`, from 0, row by row."""
        down, right = divmod(number, self.across)
        x0, y0 = self.rect[0] + right * self.columns, self.rect[1] + down * self.rows
        return x0, y0, min(x0 + self.columns, self.rect[2]), min(y0 + self.rows, self.rect[3])


def plan_blocks(rect: Rect, samples: int, sample_rays: int, *, rays_max: int, threads: int) -> BlockPlan:
    """Blocks of at most `rays_max` rays, for `samples` camera rays per pixel that cost `sample_rays` rays each."""
    width, height = max(rect[2] - rect[0], 1), max(rect[3] - rect[1], 1)
    pixel_rays = max(samples, 1) * sample_rays
    share = width * height * pixel_rays // (threads * BLOCKS_PER_THREAD)
    pixels = min(rays_max, max(share, 1)) // pixel_rays
    if pixels >= width:
        return BlockPlan(rect, width, min(pixels // width, height), max(samples, 1))
    if pixels >= RUN_PIXELS:
        return BlockPlan(rect, pixels // RUN_PIXELS * RUN_PIXELS, 1, max(samples, 1))
    step = max(1, min(rays_max // (RUN_PIXELS * sample_rays), samples))
    return BlockPlan(rect, min(RUN_PIXELS, width), 1, step)


class Crew:
    """Threads that render blocks together with the calling thread."""

    def __init__(self) -> None:
        self._pool: ThreadPoolExecutor | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        """Ends the threads."""
        with self._lock:
            pool, self._pool = self._pool, None
        if pool is not None:
            pool.shutdown(wait=True)

    def run(self, total: int, render: Callable[[int], None], *, threads: int, done: Callable[[int], None]) -> None:
        """Calls `render` once for each number below `total`, on `threads` threads; the first exception ends it.

        `done` is called on the calling thread with the number of blocks taken so far.
        """
        numbers = itertools.count()
        failed = threading.Event()

        def work(report: Callable[[int], None] | None) -> None:
            try:
                while not failed.is_set() and (number := next(numbers)) < total:
                    render(number)
                    if report is not None:
                        report(number + 1)
            except BaseException:
                failed.set()
                raise

        helpers = [self._threads().submit(work, None) for _ in range(min(threads, total) - 1)]
        try:
            work(done)
        finally:
            errors = [error for future in helpers if (error := _outcome(future)) is not None]
        if errors:
            raise errors[0]

    def _threads(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="kernel")
            return self._pool


def _outcome(future: Future[None]) -> BaseException | None:
    """How a thread ended; one that other tasks kept from starting is no longer needed."""
    return None if future.cancel() else future.exception()
