"""How powerful this machine is by the ambient occlusion kernel: rays per second for each number of threads.

A ray is a nominal one: size² · subsamples² · (1 + ao_samples²), whether or not it hits anything, so that the figure
only depends on the wall time of a fixed picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from worker.runners.kernel.bench import bench_ao

SIZE_PX, SUBSAMPLES, AO_SAMPLES = 256, 2, 8
RAYS = SIZE_PX**2 * SUBSAMPLES**2 * (1 + AO_SAMPLES**2)
"""Nominal rays of the picture that is measured: 17,039,360."""

REFERENCE_RAYS_PER_S = 2.0e9
"""What one vCPU of the reference machine does, a cloud machine with two vCPUs of an Intel Xeon with AVX-512: the
picture of `RAYS` rays took it 8.1 ms on one thread and 4.4 ms on two at best, 2.1 and 1.9 thousand million rays per
second and vCPU; between the two. It is a convention, not a target: all ratings are relative to it, so it stays the same
from release to release."""


@dataclass(frozen=True, slots=True)
class ThreadPower:
    """Rays per second of all threads together: the best of the repetitions, for whatever else runs only slows it."""

    threads: int
    rays_per_s: float


def thread_counts(vcpus: int) -> list[int]:
    """Powers of two up to the number of vCPUs, and that number itself."""
    counts = [2**n for n in range(vcpus.bit_length()) if 2**n < vcpus]
    return [*counts, vcpus]


def kernel_power(vcpus: int, repeat: int) -> list[ThreadPower]:
    """Measure with every number of threads of `thread_counts`, `repeat` times each after once that does not count."""
    found: list[ThreadPower] = []
    for threads in thread_counts(vcpus):
        best_ms = min(bench_ao(SIZE_PX, SUBSAMPLES, AO_SAMPLES, threads, repeat)["ms"])
        found.append(ThreadPower(threads, RAYS / (best_ms / 1e3)))
    return found


def kernel_rating(measured: list[ThreadPower], vcpus: int) -> float:
    """The power of one of the machine's vCPUs when it works as hard as it can; 1: the reference machine's."""
    return max(power.rays_per_s for power in measured) / vcpus / REFERENCE_RAYS_PER_S
