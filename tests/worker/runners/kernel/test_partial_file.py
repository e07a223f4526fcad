"""Partials on disk: what is written is read, and nothing else is believed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from films import same_film
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kernels.film import Film, empty_film
from worker.runners.kernel.partial_file import (
    MAGIC,
    SIZES,
    BrokenPartial,
    PartialHeader,
    read_header,
    read_partial,
    write_partial,
)

HEADER = PartialHeader(
    recipe="abc",
    frame=-3,
    width=20,
    height=10,
    samples=8,
    seed=1,
    channels=4,
    rect=(2, 1, 9, 7),
    parts=((2, 1, 9, 7, 0, 4),),
)


def film() -> Film:
    rng = np.random.default_rng(1)
    made = empty_film(HEADER.rect, HEADER.channels)
    made.sums[:] = rng.integers(0, 2**32, made.sums.shape)
    made.squares[:] = rng.integers(0, 2**63, made.squares.shape)
    made.counts[:] = 4
    return made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "0001.partial"
    write_partial(path, HEADER, film())
    return path


def test_what_is_written_is_read(path: Path) -> None:
    header, read = read_partial(path)
    assert header == HEADER == read_header(path)
    assert same_film(read, film())


def test_an_empty_partial_is_one_too(tmp_path: Path) -> None:
    header = msgspec.structs.replace(HEADER, rect=(3, 3, 3, 7), parts=())
    write_partial(tmp_path / "e", header, empty_film(header.rect, 4))
    assert read_partial(tmp_path / "e")[1].sums.shape == (4, 0, 4)


def test_cut_anywhere_it_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in [*range(120), *range(120, len(whole), 37), len(whole) - 1]:
        path.write_bytes(whole[:length])
        with pytest.raises(BrokenPartial):
            read_partial(path)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_flipped_bit_is_refused_or_changes_only_the_header(path: Path, data: st.DataObject) -> None:
    write_partial(path, HEADER, film())
    whole = bytearray(path.read_bytes())
    position = data.draw(st.integers(0, len(whole) - 1))
    whole[position] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(whole)
    try:
        header, read = read_partial(path)
    except BrokenPartial:
        return
    start = len(MAGIC) + SIZES.size
    body = start + len(msgspec.json.encode(HEADER))
    assert start <= position < body or same_film(read, film())
    assert header != HEADER or position >= body


@pytest.mark.parametrize(
    "lie",
    [
        {"rect": (0, 0, 65_536, 65_536), "width": 65_536, "height": 65_536},
        {"rect": (9, 1, 2, 7)},
        {"rect": (2, 1, 21, 7)},
        {"parts": ((2, 1, 9, 7, 0, 9),)},
        {"parts": ((0, 1, 9, 7, 0, 4),)},
        {"rect": (2, 1, 9, 8)},
        {"rect": (2, 1, 9, 6), "parts": ()},
    ],
)
def test_headers_that_lie_are_refused(path: Path, lie: dict[str, object]) -> None:
    body = path.read_bytes()[len(MAGIC) + SIZES.size + len(msgspec.json.encode(HEADER)) :]
    text = msgspec.json.encode(msgspec.structs.replace(HEADER, **lie))
    path.write_bytes(MAGIC + SIZES.pack(len(text), len(body)) + text + body)
    with pytest.raises(BrokenPartial):
        read_partial(path)


@pytest.mark.parametrize("text", [b"{}", b"[1]", b"\xff\xfe", b'{"recipe": 5}', b'{"width": -1}'])
def test_headers_that_are_none_are_refused(path: Path, text: bytes) -> None:
    path.write_bytes(MAGIC + SIZES.pack(len(text), 0) + text)
    with pytest.raises(BrokenPartial, match="header"):
        read_header(path)
