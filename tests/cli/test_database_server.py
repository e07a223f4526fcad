"""Backup, restore and moving of a farm whose database is a PostgreSQL server."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from postgres import Cluster
from sqlalchemy import select
from sqlmodel import SQLModel
from typer.testing import Result

from scheduler.store.store import Store
from scheduler.store.tables import Event, Job, Meta, Token

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.stop()


def fill(store: Store, jobs: int) -> None:
    """Rows with all kinds of columns: JSON, bytes, large numbers, text of the whole world."""

    def change(tx) -> None:
        for number in range(jobs):
            tx.session.add(
                Job(
                    name=f"Bär {number} 火", status="QUEUED", renderer="null", owner="ada", scene={"a": [1, None, "ü"]},
                    settings={}, requires={}, tracking={"shot": "sh010"}, extra={}, payload={}, pools=["onprem"],
                    frames="1", frame_count=1, format="png", submitted_at=1e9 + number + 1 / 3,
                )
            )  # fmt: skip
        tx.session.add(Event(at=2.0**31, kind="job.submitted", data={"x": 2**53}))
        tx.session.add(Token(id=f"t{jobs}", name="n", role="user", hash=bytes(range(32)), created_at=1.0))

    store.write(change)


def rows(data: Path, url: str | None) -> dict[str, list[tuple]]:
    """Everything that a database holds."""
    store = Store(data, url)
    try:
        with store.read() as session:
            tables = SQLModel.metadata.sorted_tables
            return {each.name: sorted(map(repr, session.execute(select(each)).all())) for each in tables}
    finally:
        store.close()


@pytest.fixture
def farm(cluster: Cluster, tmp_path: Path) -> tuple[Path, str]:
    """The data folder and the database of a farm that is stopped."""
    url = cluster.url()
    store = Store(tmp_path / "farm", url)
    fill(store, 2500)
    store.close()
    return tmp_path / "farm", url


@pytest.mark.parametrize("ending", ["zip", "sqlite"])
def test_a_farm_moves_from_server_to_file_to_server_without_a_difference(
    outfield: Run, farm: tuple[Path, str], cluster: Cluster, tmp_path: Path, ending: str
) -> None:
    (data, url), target, other = farm, tmp_path / f"b.{ending}", cluster.url()
    before = rows(data, url)

    assert outfield("backup", target, "--data", data, "--database", url).exit_code == 0
    assert outfield("restore", target, "--data", tmp_path / "file").exit_code == 0
    assert rows(tmp_path / "file", None) == before
    assert outfield("backup", tmp_path / "again.zip", "--data", tmp_path / "file").exit_code == 0
    done = outfield("restore", tmp_path / "again.zip", "--data", tmp_path / "new", "--database", other)

    assert (done.exit_code, done.stdout) == (0, f"{other}\n")
    assert rows(tmp_path / "new", other) == before
    store = Store(tmp_path / "new", other)
    fill(store, 1)  # numbers go on after the highest one, and no row is in the way
    with store.read() as session:
        assert max(session.execute(select(Job.id)).scalars()) == 2501
    store.close()


def test_a_backup_is_of_one_moment_while_the_farm_writes(outfield: Run, farm: tuple[Path, str], tmp_path: Path) -> None:
    data, url = farm
    store = Store(data, url)
    result = outfield("--json", "backup", tmp_path / "b.sqlite", "--data", data, "--database", url)
    store.close()

    assert json.loads(result.stdout)["path"] == str(tmp_path / "b.sqlite")
    with sqlite3.connect(tmp_path / "b.sqlite") as copy:
        assert copy.execute("SELECT count(*) FROM job").fetchone() == (2500,)
        assert copy.execute("PRAGMA foreign_key_check").fetchall() == []
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_restoring_keeps_what_was_there_and_refuses_under_a_running_scheduler(
    outfield: Run, farm: tuple[Path, str], tmp_path: Path
) -> None:
    data, url = farm
    outfield("backup", tmp_path / "b.zip", "--data", data, "--database", url)
    store = Store(data, url)
    store.write(lambda tx: tx.session.merge(Meta(key="said", value="after")))
    refused = outfield("restore", tmp_path / "b.zip", "--data", data, "--database", url)
    elsewhere = outfield("restore", tmp_path / "b.zip", "--data", tmp_path / "else", "--database", url)
    store.close()

    assert "[already_active]" in refused.stderr and "[already_active]" in elsewhere.stderr
    assert outfield("restore", tmp_path / "b.zip", "--data", data, "--database", url).exit_code == 0
    assert "after" not in str(rows(data, url)["meta"])
    with sqlite3.connect(data / "outfield.before-restore.sqlite") as former:
        assert former.execute("SELECT value FROM meta WHERE key = 'said'").fetchone() == ("after",)


def test_a_damaged_backup_changes_nothing(outfield: Run, farm: tuple[Path, str], tmp_path: Path) -> None:
    data, url = farm
    before = rows(data, url)
    (tmp_path / "b.sqlite").write_bytes(b"SQLite format 3\0" + b"x" * 5000)

    result = outfield("restore", tmp_path / "b.sqlite", "--data", data, "--database", url)

    assert result.exit_code == 1 and "[backup_damaged]" in result.stderr
    assert rows(data, url) == before


def test_a_server_that_does_not_answer_is_said_without_its_password(outfield: Run, tmp_path: Path) -> None:
    url = "postgresql://farm:s3cret@127.0.0.1:9/outfield"
    result = outfield("backup", tmp_path / "b.zip", "--data", tmp_path / "d", "--database", url)

    assert result.exit_code == 1 and "[database_away]" in result.stderr
    assert "s3cret" not in result.stderr + result.stdout
