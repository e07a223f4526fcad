"""Submissions kept while the scheduler is away."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from scheduler.cli.exits import Unreachable
from scheduler.cli.outbox import Outbox, Submission
from scheduler.errors import Denied, OutfieldError, Refused

HERE, THERE = "http://127.0.0.1:8000", "https://farm.example"


def submission(name: str, server: str = HERE) -> Submission:
    return Submission(server, f"key-{name}", {"name": name, "settings": {"width": 64}}, upload="/a.ply")


def kept(outbox: Outbox, server: str = HERE) -> list[str]:
    return [each.body["name"] for _, each in outbox.waiting(server)]


def test_what_is_kept_comes_back_as_it_was_in_its_order(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox")

    outbox.keep(submission("second"), order="2")
    outbox.keep(submission("first"), order="1")
    outbox.keep(submission("elsewhere", THERE), order="0")

    assert [each for _, each in outbox.waiting(HERE)] == [submission("first"), submission("second")]
    assert kept(outbox, THERE) == ["elsewhere"]


def test_only_its_user_can_read_it(tmp_path: Path) -> None:
    path = Outbox(tmp_path / "outbox").keep(submission("a"), order="1")

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_what_was_sent_is_forgotten(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for order in "12":
        outbox.keep(submission(order), order=order)

    sent = list(outbox.flush(HERE, lambda each: {"jobID": each.body["name"]}))

    assert [each.job for each in sent] == [{"jobID": "1"}, {"jobID": "2"}]
    assert kept(outbox) == []


@pytest.mark.parametrize("trouble", [Unreachable(), Denied()])
def test_when_the_scheduler_takes_nothing_the_rest_stays(tmp_path: Path, trouble: OutfieldError) -> None:
    outbox = Outbox(tmp_path)
    for order in "123":
        outbox.keep(submission(order), order=order)

    def send(each: Submission) -> dict[str, Any]:
        if each.body["name"] == "2":
            raise trouble
        return {"jobID": "1"}

    with pytest.raises(type(trouble)):
        list(outbox.flush(HERE, send))

    assert kept(outbox) == ["2", "3"]


def test_what_is_refused_is_put_aside_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    outbox = Outbox(tmp_path)
    for order in "12":
        outbox.keep(submission(order), order=order)

    def send(each: Submission) -> dict[str, Any]:
        if each.body["name"] == "1":
            raise Refused("no such renderer")
        return {"jobID": "2"}

    sent = list(outbox.flush(HERE, send))

    assert [each.refusal is None for each in sent] == [False, True]
    assert kept(outbox) == []
    assert [path.name for path in (tmp_path / "refused").iterdir()] == ["1-key-1.json"]


def test_a_broken_file_is_put_aside(tmp_path: Path) -> None:
    (tmp_path / "1-x.json").write_text('{"server": ')
    (tmp_path / "2-y.json").write_text('{"sorcerer": 1}')

    assert Outbox(tmp_path).waiting(HERE) == []
    assert len(list((tmp_path / "refused").iterdir())) == 2


def test_a_file_that_was_not_finished_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / "1-x.part").write_text("{")

    assert Outbox(tmp_path).waiting(HERE) == []
