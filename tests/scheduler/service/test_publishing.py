"""A crash anywhere on a file's way from staging to its path loses nothing and renders nothing twice."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from farms import LooseFarm
from sqlmodel import select

from scheduler.service import placing
from scheduler.store.tables import Attempt, Frame


class Died(BaseException):
    """The process is gone."""


@pytest.fixture
def farm(tmp_path: Path) -> Iterator[LooseFarm]:
    farm = LooseFarm(tmp_path)
    yield farm
    farm.close()


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_file_is_taken_up_where_the_crash_left_it(
    farm: LooseFarm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    """Staged → hidden neighbour → target: die before the first rename, between the two, and after both."""
    done: list[Path] = []

    def replace(source: Path, target: Path) -> None:
        if Path(target).parent.name == "out":
            if len(done) == renames:
                raise Died
            done.append(Path(target))
        os_replace(source, target)

    def sync_folder(folder: Path) -> None:
        if renames == 2:
            raise Died

    os_replace = os.replace
    worker = farm.join()
    job = farm.submit(frames="7", output=str(tmp_path / "out" / "f.####.png"))
    (lease,) = farm.sync(worker, want=1).leases
    with monkeypatch.context() as patch:
        patch.setattr(placing.os, "replace", replace)
        patch.setattr(placing, "sync_folder", sync_folder)
        farm.deliver(worker, lease)
    with farm.store.read() as session:
        assert session.exec(select(Frame)).all() == [], "it died before it was recorded"
    farm.restart()
    farm.publish_pending()

    with farm.store.read() as session:
        (frame,) = session.exec(select(Frame).where(Frame.job_id == job)).all()
        attempts = session.exec(select(Attempt.attempt).where(Attempt.task_id == lease.task)).all()
    assert attempts == [1], "it was rendered once"
    assert frame.attempt == 1
    assert (tmp_path / "out" / "f.0007.png").read_bytes() == b"pixels"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["f.0007.png"]
