"""How far a task is, by what engines say, by the files that are there, and by the clock while Maya starts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.maya.engines import ENGINES
from worker.runners.maya.progress import START_SHARE, Progress

DONE = {"arnold": "00:00:04  1012MB         | render done", "sw": "Finished Rendering /s/frame.0001.png."}
HALF = {"arnold": "00:00:01  90MB         |    50% done - 23 rays/pixel", "sw": "[PROGRESS] 50 percent"}


@pytest.mark.parametrize("engine", ["arnold", "sw"])
def test_lines_of_two_frames(engine: str) -> None:
    progress = Progress(ENGINES[engine], 2, now=0.0)
    assert progress.note == "starting Maya" and progress.fraction(0.0) == 0.0
    assert 0.0 < progress.fraction(30.0) < START_SHARE
    told = []
    for line in (HALF[engine], DONE[engine], HALF[engine], DONE[engine]):
        progress.line(line)
        told.append(round((progress.fraction(60.0) - START_SHARE) / (1 - START_SHARE), 6))
    assert told == [0.25, 0.5, 0.75, 1.0]


def test_files_tell_where_an_engine_says_nothing() -> None:
    progress = Progress(ENGINES["redshift"], 4, now=0.0)
    progress.seen(0)
    assert progress.note == "starting Maya"
    progress.seen(2)
    assert progress.note == "frame 3 of 4"
    assert progress.fraction(1.0) == START_SHARE + (1 - START_SHARE) / 2
    progress.seen(1)
    assert progress.note == "frame 3 of 4", "what was done stays done"


@given(st.lists(st.one_of(st.sampled_from([*DONE.values(), *HALF.values()]), st.integers(-1, 9), st.floats(0, 1e6))))
def test_it_never_falls_and_never_passes_one(events: list[str | int | float]) -> None:
    progress, last = Progress(ENGINES["arnold"], 3, now=0.0), 0.0
    for event in events:
        if isinstance(event, str):
            progress.line(event)
        elif isinstance(event, int):
            progress.seen(event)
        now = event if isinstance(event, float) else 0.0
        fraction = progress.fraction(now)
        assert last <= fraction <= 1.0
        last = fraction
