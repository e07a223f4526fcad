"""What a worker holds is found again after it was killed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from scheduler.protocol.work import Lease, Scene, TaskRef
from worker import journal
from worker.journal import Journal


def lease(task: int) -> Lease:
    return Lease(task, 1, "s", "00001", "render", "null", [1], "png", {}, Scene())


def test_what_was_taken_and_started_is_told_apart(tmp_path: Path) -> None:
    book = Journal(tmp_path)
    for task in (1, 2, 3):
        book.taken(lease(task))
    book.started(TaskRef(1, 1))
    book.started(TaskRef(2, 1))
    book.over(TaskRef(2, 1))
    book.over(TaskRef(9, 1))
    found = Journal(tmp_path).leftovers()
    assert [(left.lease.task, left.started) for left in found] == [(1, True), (3, False)]


def test_a_torn_last_line_costs_only_itself(tmp_path: Path) -> None:
    book = Journal(tmp_path)
    book.taken(lease(1))
    with (tmp_path / journal.FILE_NAME).open("ab") as file:
        file.write(b'{"ref":{"task":2,"att')
    assert [left.lease.task for left in Journal(tmp_path).leftovers()] == [1]


def test_the_file_stays_small(tmp_path: Path) -> None:
    book = Journal(tmp_path)
    book.taken(lease(0))
    size = (tmp_path / journal.FILE_NAME).stat().st_size
    for task in range(1, 2 * journal.COMPACT_AT_BYTES // size):
        book.taken(lease(task))
        book.over(TaskRef(task, 1))
    assert (tmp_path / journal.FILE_NAME).stat().st_size < journal.COMPACT_AT_BYTES + 2 * size
    assert [left.lease.task for left in Journal(tmp_path).leftovers()] == [0]


@given(st.lists(st.tuples(st.sampled_from(["taken", "started", "over", "restart"]), st.integers(1, 4)), max_size=40))
def test_a_journal_is_a_dictionary_that_survives(events: list[tuple[str, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        book, model = Journal(Path(folder)), dict[int, bool]()
        for event, task in events:
            match event:
                case "taken":
                    book.taken(lease(task))
                    model[task] = False
                case "started":
                    book.started(TaskRef(task, 1))
                    model.update({task: True} if task in model else {})
                case "over":
                    book.over(TaskRef(task, 1))
                    model.pop(task, None)
                case _:
                    book.close()
                    book = Journal(Path(folder))
        assert {left.lease.task: left.started for left in book.leftovers()} == model
        book.close()
