"""The spool: whole or not at all, in order, sent by one, and nothing left of whoever died."""

from __future__ import annotations

import errno
import json
import os
import threading
from pathlib import Path

import pytest
from outfield_core import spool as spools
from outfield_core.disk import user_folder
from outfield_core.errors import LocalTrouble
from outfield_core.spool import Spool
from spooled import in_a_child, keep, leftovers

SERVER = "http://farm:8000"


def test_what_is_kept_comes_back_oldest_first_for_its_farm_only(spool):
    for order, name, server in (("2", "b", SERVER), ("1", "a", SERVER), ("3", "c", "http://other")):
        keep(spool, server, name=name, order=order)

    assert [kept.name for kept in spool.waiting(SERVER)] == ["a", "b"]
    assert [kept.name for kept in Spool(spool.folder).waiting()] == ["a", "b", "c"]


def test_only_one_may_send_and_what_is_done_is_gone(spool):
    kept = keep(spool, SERVER)
    claim = spool.claim(kept)

    assert claim is not None
    assert Spool(spool.folder).claim(kept) is None
    claim.done()
    assert spool.claim(kept) is None
    assert leftovers(spool) == []


def test_a_claim_that_is_released_can_be_taken_again(spool):
    kept = keep(spool, SERVER)
    first = spool.claim(kept)
    first.release()

    assert spool.claim(kept) is not None


def test_many_threads_share_out_what_is_there(spool):
    for number in range(20):
        keep(spool, SERVER, name=str(number), order=f"{number:02}")
    taken: list[str] = []

    def work() -> None:
        own = Spool(spool.folder)
        for kept in own.waiting():
            claim = own.claim(kept)
            if claim is not None:
                taken.append(kept.name)
                claim.done()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(taken, key=int) == [str(number) for number in range(20)]
    assert leftovers(spool) == []


@pytest.mark.parametrize("reader", ["sweep", "waiting"])
def test_whoever_dies_while_making_one_leaves_one_or_none(tmp_path, reader):
    """kill -9 at every single call that touches the disk."""
    for count in range(200):
        spool = Spool(str(tmp_path / f"{reader}{count}"))
        survived = in_a_child(lambda spool=spool: keep(spool, SERVER), count)
        if reader == "sweep":
            spool.sweep()
            assert list(Path(spool.folder).glob("parts/*")) == []
        kept = spool.waiting()
        assert len(kept) <= 1
        for each in kept:
            assert sorted(path.name for path in Path(each.folder).iterdir()) == ["a.blend", "submission.json"]
        if survived:
            assert len(kept) == 1
            return
    pytest.fail("it never came to its end")


def test_the_living_are_not_swept(spool):
    draft = spool.begin()
    assert spool.sweep() == 0
    assert Path(draft.folder).is_dir()
    draft.abandon()
    assert leftovers(spool) == []


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, "disk_full"), (errno.EROFS, "disk_read_only"), (errno.EIO, "disk_failed")]
)
def test_a_disk_that_fails_leaves_nothing_and_says_so(spool, monkeypatch, number, code):
    draft = spool.begin()

    def fail(_handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(spools.os, "fsync", fail)
    with pytest.raises(LocalTrouble) as trouble:
        draft.commit({"server": SERVER, "body": {"name": "x"}}, "1")
    monkeypatch.undo()

    assert trouble.value.code == code
    assert trouble.value.hint
    assert leftovers(spool) == []


def test_a_folder_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalTrouble) as trouble:
        Spool(str(tmp_path / "file" / "spool")).begin()

    assert "nothing was submitted" in trouble.value.message


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"key": 1}', '{"key": "k", "server": "s", "body": 3}'])
def test_what_cannot_be_read_is_put_aside_and_does_not_stop_the_others(spool, content):
    good = keep(spool, SERVER, order="2")
    bad = Path(spool.folder, "ready", "1-bad")
    bad.mkdir()
    (bad / "submission.json").write_text(content)

    assert [kept.key for kept in spool.waiting(SERVER)] == [good.key]


def test_what_is_refused_is_kept_with_the_reason(spool):
    claim = spool.claim(keep(spool, SERVER, name="sh010"))
    claim.refuse({"message": "No such renderer.", "hint": "Ask.", "code": "x"})

    (refused,) = spool.refused()
    assert (refused["name"], refused["message"], refused["hint"]) == ("sh010", "No such renderer.", "Ask.")
    assert spool.waiting() == []


def test_a_name_that_is_no_text_for_utf8_survives(spool):
    kept = keep(spool, SERVER, files=("/p/\udcff.png",))

    assert spool.waiting()[0].content["files"] == ["/p/\udcff.png"]
    assert json.loads(Path(kept.folder, "submission.json").read_bytes().decode("utf-8", "surrogateescape"))


def test_where_it_lies():
    assert user_folder({"OUTFIELD_SPOOL": "/x"}) == "/x"
    assert user_folder({"LOCALAPPDATA": "C:\\L"}, "win32").startswith("C:\\L")
    assert user_folder({"XDG_DATA_HOME": "/d"}, "linux") == "/d/outfield-addon"
    assert "Application Support" in user_folder({}, "darwin")
