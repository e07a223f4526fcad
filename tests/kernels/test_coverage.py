"""What is there and what is missing, as boxes: no sample is lost and none is counted twice."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from kernels.coverage import Part, coalesced, overlap, remainder

WHOLE = Part(2, 3, 14, 11, 1, 7)


def samples(parts) -> set[tuple[int, int, int]]:
    return {
        (x, y, s)
        for part in parts
        for x in range(part.x0, part.x1)
        for y in range(part.y0, part.y1)
        for s in range(part.s0, part.s1)
    }


def spans(low: int, high: int):
    return st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)


boxes = st.tuples(spans(0, 16), spans(0, 16), spans(0, 8)).map(
    lambda box: Part(box[0][0], box[1][0], box[0][1], box[1][1], box[2][0], box[2][1])
)


@given(st.lists(boxes, max_size=6))
def test_the_remainder_is_exactly_what_is_not_done(done: list[Part]) -> None:
    left = remainder(WHOLE, done)

    assert samples(left) == samples([WHOLE]) - samples(done)
    assert sum(part.volume for part in left) == len(samples(left)), "disjoint"


@given(st.lists(boxes, max_size=5))
def test_coalescing_keeps_every_sample(parts: list[Part]) -> None:
    disjoint: list[Part] = []
    for part in parts:
        disjoint += remainder(part, disjoint)

    fewer = coalesced(disjoint)

    assert samples(fewer) == samples(disjoint)
    assert overlap(fewer) is None
    assert len(fewer) <= len(disjoint)


def test_the_blocks_of_a_picture_become_a_handful_of_boxes() -> None:
    """Blocks are taken in order: whole rows, a begun row, and one block of each thread half-way through its samples."""
    blocks = [Part(x, y, x + 16, y + 1, 0, 64) for y in range(100) for x in range(0, 1920, 16)]
    blocks += [Part(x, 100, x + 16, 101, 0, 64) for x in range(0, 320, 16)]
    blocks += [Part(320, 100, 336, 101, 0, 12)]

    assert len(coalesced(blocks)) == 3
