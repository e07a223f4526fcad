"""Sealed files: the same bytes come out, from anywhere on; whatever is changed on the way is noticed."""

from __future__ import annotations

import hashlib
import io
from typing import BinaryIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scheduler.protocol.sealed import (
    HEADER_BYTES,
    KEY_BYTES,
    SEGMENT_BYTES,
    TAG_BYTES,
    Opener,
    Tampered,
    Unsealing,
    derive,
    plain_size,
    seal,
    sealed_size,
    unseal,
)

KEY = bytes(range(KEY_BYTES))
EDGES = (0, 1, SEGMENT_BYTES - 1, SEGMENT_BYTES, SEGMENT_BYTES + 1, 3 * SEGMENT_BYTES, 3 * SEGMENT_BYTES + 5)


def content(size: int) -> bytes:
    return hashlib.shake_256(b"content").digest(size)


def sealed(data: bytes, key: bytes = KEY) -> bytes:
    return b"".join(seal(io.BytesIO(data), len(data), key, hashlib.sha256(data).hexdigest()))


def opening(data: bytes):
    def open_sealed(offset: int, length: int | None) -> BinaryIO:
        return io.BytesIO(data[offset:] if length is None else data[offset : offset + length])

    return open_sealed


@pytest.mark.parametrize("size", EDGES)
def test_what_is_sealed_comes_out_again(size: int) -> None:
    data = content(size)
    form = sealed(data)

    assert len(form) == sealed_size(size)
    assert plain_size(len(form)) == size
    assert unseal(opening(form), len(form), KEY).read() == data
    assert size < 32 or data[:32] not in form


@given(size=st.sampled_from(EDGES), offset=st.integers(0, 4 * SEGMENT_BYTES), length=st.integers(0, 2 * SEGMENT_BYTES))
def test_a_stream_may_begin_and_end_anywhere(size: int, offset: int, length: int) -> None:
    data, form = content(size), sealed(content(size))
    offset = min(offset, size)
    stream = Unsealing(opening(form), len(form), KEY, offset=offset, length=length)

    assert io.BufferedReader(stream).read() == data[offset : offset + length]


@given(size=st.sampled_from(EDGES), cuts=st.lists(st.integers(1, 100_000), max_size=8), first=st.integers(0, 3))
def test_bytes_are_opened_as_they_arrive(size: int, cuts: list[int], first: int) -> None:
    data, form = content(size), sealed(content(size))
    first = min(first, max(0, -(-size // SEGMENT_BYTES) - 1))
    opener = Opener(form[:HEADER_BYTES], len(form), KEY, first=first)
    rest, found = form[HEADER_BYTES + first * (SEGMENT_BYTES + TAG_BYTES) :], b""
    for cut in [*cuts, len(rest)]:
        found, rest = found + opener.feed(rest[:cut]), rest[cut:]
    found += opener.feed(rest)
    opener.finish()

    assert found == data[first * SEGMENT_BYTES :]


@given(where=st.integers(0, sealed_size(SEGMENT_BYTES + 7) - 1), flip=st.integers(1, 255))
@example(where=0, flip=1)
def test_every_changed_byte_is_noticed(where: int, flip: int) -> None:
    form = bytearray(sealed(content(SEGMENT_BYTES + 7)))
    form[where] ^= flip

    with pytest.raises(Tampered):
        unseal(opening(bytes(form)), len(form), KEY).read()


@pytest.mark.parametrize("size", [SEGMENT_BYTES + 7, 3 * SEGMENT_BYTES])
def test_cutting_swapping_and_appending_are_noticed(size: int) -> None:
    form, step = sealed(content(size)), SEGMENT_BYTES + TAG_BYTES
    first, second = form[HEADER_BYTES : HEADER_BYTES + step], form[HEADER_BYTES + step : HEADER_BYTES + 2 * step]
    for wrong in (
        form[:-1],
        form[: HEADER_BYTES + step],
        form + b"x",
        form + first,
        form[:HEADER_BYTES] + second + first + form[HEADER_BYTES + 2 * step :],
    ):
        with pytest.raises(Tampered):
            unseal(opening(wrong), len(wrong), KEY).read()


def test_another_key_opens_nothing() -> None:
    form = sealed(content(100))
    with pytest.raises(Tampered):
        unseal(opening(form), len(form), bytes(KEY_BYTES)).read()


def test_an_unfinished_arrival_is_noticed() -> None:
    form = sealed(content(100))
    opener = Opener(form[:HEADER_BYTES], len(form), KEY)
    opener.feed(form[HEADER_BYTES:-1])
    with pytest.raises(Tampered, match="cut off"):
        opener.finish()


def test_the_same_file_is_sealed_to_the_same_bytes_and_another_never_under_its_key() -> None:
    one, other = content(100), content(101)

    assert sealed(one) == sealed(one)
    assert sealed(one)[HEADER_BYTES:][:64] != sealed(other)[HEADER_BYTES:][:64]


def test_keys_of_scopes_differ() -> None:
    keys = {derive(KEY, scope) for scope in ("frames/00001", "frames/00002", "blobs/ab")}
    assert len(keys) == 3 and all(len(key) == KEY_BYTES for key in keys)


def test_a_file_that_changes_meanwhile_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="changed"):
        list(seal(io.BytesIO(b"longer than said"), 3, KEY, "00" * 32))
