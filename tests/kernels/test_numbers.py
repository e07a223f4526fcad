"""The 32-bit hash and the other arithmetic that Numba has no words for."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import rays

from kernels.sampling import hash_array

COUNT = 1 << 16


@pytest.fixture(scope="module")
def drawn() -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """Hashes of counters 0 … COUNT with units, choices below 60 and how many are even."""
    counters = np.arange(COUNT)
    hashes, units, choices = np.empty(COUNT, np.uint32), np.empty(COUNT, np.float32), np.empty(COUNT, np.int32)
    even = rays.numbers_of(np.uint32(12_345), counters, hashes, units, choices, 60)
    return hashes, units, choices, int(even)


def test_hash_is_the_published_one_in_32_bits(drawn: tuple[np.ndarray, ...]) -> None:
    hashes = drawn[0]
    for counter in (0, 1, 77, COUNT - 1):
        assert hashes[counter] == naive.lowbias32(12_345 + counter)
    wrapped = np.empty(1, np.uint32)
    rays.numbers_of(np.uint32(5), np.array([2**32 - 3]), wrapped, np.empty(1, np.float32), np.empty(1, np.int32), 2)
    assert wrapped[0] == naive.lowbias32(2)


def test_host_and_kernel_hash_alike(drawn: tuple[np.ndarray, ...]) -> None:
    assert np.array_equal(hash_array(np.arange(COUNT, dtype=np.uint32), 12_345), drawn[0])


def test_hash_bits_units_and_choices_are_uniform(drawn: tuple[np.ndarray, ...]) -> None:
    hashes, units, choices, even = drawn
    assert units.min() >= 0
    assert units.max() < 1
    assert abs(naive.chi_squared(np.bincount((units * 256).astype(int), minlength=256))) < 4
    assert abs(naive.chi_squared(np.bincount(hashes & 255, minlength=256))) < 4
    assert abs(naive.chi_squared(np.bincount(choices, minlength=60))) < 4
    assert even == (hashes % 2 == 0).sum()


def test_neighbouring_keys_are_independent() -> None:
    """Pairs (hash of n, hash of n + 1) fill a square evenly."""
    units = hash_array(np.arange(COUNT, dtype=np.uint32), 9) >> np.uint32(28)
    pairs = units[:-1] * 16 + units[1:]
    assert abs(naive.chi_squared(np.bincount(pairs, minlength=256))) < 4


def test_fused_multiply_add_rounds_once() -> None:
    a = np.array([1 + 2**-12, 3.0], np.float32)
    b = np.array([1 - 2**-12, 7.0], np.float32)
    c = np.array([-1.0, 0.5], np.float32)
    out = np.empty(2, np.float32)
    rays.fma_of(a, b, c, out)
    assert out.tolist() == [-(2.0**-24), 21.5]
