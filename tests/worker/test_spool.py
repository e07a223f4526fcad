"""Finished work on disk: kept in order, whole, bounded, and swept when half written."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scheduler.protocol.work import Lease, Report, Scene
from worker.runners.base import Produced
from worker.spool import Finished, Spool, SpoolFull


def finished(folder: Path, task: int, text: str = "pixels") -> Finished:
    folder.mkdir(exist_ok=True)
    path = folder / f"f.{task}.png"
    path.write_text(text)
    lease = Lease(task, 1, f"secret-{task}", "00001", "render", "null", [task], "png", {"width": 8}, Scene(path="/a"))
    produced = Produced(path, "partial", frame=task, meta={"weight": 0.5, "window": [0, 0, 8, 8]})
    return Finished(lease, Report(task, 1, f"secret-{task}", "done", seconds=2.5), (produced,), 7, b"the end\n")


def open_spool(folder: Path, rows_max: int = 10, bytes_max: int = 10_000) -> Spool:
    return Spool(folder / "spool", rows_max=rows_max, bytes_max=bytes_max)


def test_everything_comes_back_in_order_after_a_restart(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    for task in (3, 1, 2):
        work = finished(tmp_path / "scratch", task, f"pixels of {task}")
        spool.add(work)
        work.files[0].path.unlink()  # the attempt's folder goes
    spool.close()
    kept = open_spool(tmp_path).all()
    assert [each.lease.task for each in kept] == [3, 1, 2]
    first = kept[0]
    assert first.lease.scene.path == "/a" and first.lease.settings == {"width": 8}
    assert first.report.seconds == 2.5 and (first.log_offset, first.log) == (7, b"the end\n")
    assert first.files[0].path.read_text() == "pixels of 3"
    assert first.files[0].meta == {"weight": 0.5, "window": [0, 0, 8, 8]} and first.files[0].frame == 3


def test_the_same_attempt_is_kept_once(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    work = finished(tmp_path / "scratch", 1)
    assert spool.add(work).row == spool.add(work).row == 1
    assert len(spool.all()) == 1


def test_what_was_delivered_is_gone_with_its_files(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    kept = spool.add(finished(tmp_path / "scratch", 1))
    spool.remove(kept.ref)
    spool.remove(kept.ref)
    assert spool.all() == [] and not kept.files[0].path.exists()


@pytest.mark.parametrize(("rows_max", "bytes_max"), [(2, 10_000), (10, 40)], ids=["rows", "bytes"])
def test_a_full_spool_refuses_and_changes_nothing(tmp_path: Path, rows_max: int, bytes_max: int) -> None:
    spool = open_spool(tmp_path, rows_max, bytes_max)
    for task in (1, 2):
        spool.add(finished(tmp_path / "scratch", task))
    work = finished(tmp_path / "scratch", 3)
    with pytest.raises(SpoolFull):
        spool.add(work)
    assert work.files[0].path.exists() and len(spool.all()) == 2
    assert spool.full() is (rows_max == 2)


def test_a_file_that_vanished_is_no_half_row(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    good = finished(tmp_path / "scratch", 1)
    bad = Finished(good.lease, good.report, (*good.files, Produced(tmp_path / "scratch" / "gone.png", "frame")))
    with pytest.raises(SpoolFull):
        spool.add(bad)
    assert spool.all() == [] and not list((tmp_path / "spool").glob("files/*"))


def test_files_without_a_row_are_swept_at_start(tmp_path: Path) -> None:
    spool = open_spool(tmp_path)
    kept = spool.add(finished(tmp_path / "scratch", 1))
    spool.close()
    orphan = tmp_path / "spool" / "files" / "9.1"
    orphan.mkdir()
    (orphan / "half.png").write_text("ha")
    open_spool(tmp_path)
    assert not orphan.exists() and kept.files[0].path.exists()


def test_secrets_are_for_the_workers_user_alone(tmp_path: Path) -> None:
    open_spool(tmp_path).add(finished(tmp_path / "scratch", 1))
    for path in (tmp_path / "spool").glob("spool.sqlite*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path
