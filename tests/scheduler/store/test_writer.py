"""One writer, group commit: together on the disk, apart when one fails, and nobody told "done" too early."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import func, select

from scheduler.errors import Unavailable
from scheduler.store.store import Store
from scheduler.store.tables import Meta
from scheduler.store.transaction import Query

INSERT = Query("INSERT INTO meta (key, value) VALUES (?, ?)")


@pytest.fixture
def store(tmp_path):
    opened = Store(tmp_path)
    yield opened
    opened.close()


def count(store: Store) -> int:
    with store.read() as session:
        return session.exec(select(func.count()).select_from(Meta)).one()


def test_waiting_changes_share_one_commit(store):
    gate, started = threading.Event(), threading.Event()

    def hold(_tx):
        started.set()
        gate.wait(10)

    held = store.writer.submit(hold)
    started.wait(10)
    commits = store.writer.commits
    futures = [store.writer.submit(lambda tx, i=i: tx.run(INSERT, (f"k{i}", "v"))) for i in range(100)]
    gate.set()
    held.result(10)
    assert [future.result(10) for future in futures] == [1] * 100
    assert store.writer.commits - commits == 2
    assert count(store) == 100


def test_a_failed_change_undoes_only_itself(store):
    def half(tx):
        tx.run(INSERT, ("half", "v"))
        tx.session.add(Meta(key="orm half", value="v"))
        tx.session.flush()
        raise ValueError("no")

    futures = [
        store.writer.submit(f)
        for f in (lambda tx: tx.run(INSERT, ("a", "v")), half, lambda tx: tx.run(INSERT, ("b", "v")))
    ]
    assert futures[0].result(10) == 1
    with pytest.raises(ValueError, match="no"):
        futures[1].result(10)
    assert futures[2].result(10) == 1
    with store.read() as session:
        assert sorted(session.exec(select(Meta.key)).all()) == ["a", "b"]


def test_a_quick_change_is_done_at_once_when_nobody_else_writes(store):
    async def quick():
        waiter = store.writer.submit_quick(lambda tx: tx.run(INSERT, ("quick", "v")))
        assert waiter.done()
        return await waiter

    assert asyncio.run(quick()) == 1
    assert count(store) == 1


def test_a_quick_change_waits_behind_what_is_being_written_or_answered(store):
    async def both():
        gate, order = threading.Event(), []

        def slow(tx):
            gate.wait(10)
            order.append("slow")
            return tx.run(INSERT, ("slow", "v"))

        def quick(tx):
            order.append("quick")
            return tx.run(INSERT, ("quick", "v"))

        first = store.writer.submit_async(slow)
        second = store.writer.submit_quick(quick)
        assert not second.done()
        gate.set()
        first.add_done_callback(lambda _: order.append("slow answered"))
        second.add_done_callback(lambda _: order.append("quick answered"))
        await asyncio.gather(first, second)
        await asyncio.sleep(0)
        return order

    order = asyncio.run(both())
    assert order.index("slow") < order.index("quick")
    assert order.index("slow answered") < order.index("quick answered")


def test_a_quick_change_that_fails_undoes_itself_and_says_so(store):
    def half(tx):
        tx.run(INSERT, ("half", "v"))
        raise ValueError("no")

    async def quick():
        with pytest.raises(ValueError, match="no"):
            await store.writer.submit_quick(half)

    asyncio.run(quick())
    assert count(store) == 0


def test_no_caller_waits_for_a_slow_disk_inside_its_loop(store, monkeypatch):
    monkeypatch.setattr(store.writer, "_commit_s", 1.0)

    async def quick():
        waiter = store.writer.submit_quick(lambda tx: tx.run(INSERT, ("quick", "v")))
        assert not waiter.done()
        return await waiter

    assert asyncio.run(quick()) == 1


def test_orm_and_prepared_statements_share_the_transaction(store):
    def change(tx):
        tx.session.add(Meta(key="x", value="1"))
        tx.session.flush()
        tx.run(Query("UPDATE meta SET value = ? WHERE key = ?"), ("2", "x"))
        tx.session.get(Meta, "x")

    store.write(change)
    with store.read() as session:
        assert session.get(Meta, "x").value == "2"


def test_an_orm_flush_that_breaks_a_constraint_undoes_only_itself(store):
    """Alone and among others: the caller hears of the constraint, the others of nothing."""
    store.write(lambda tx: tx.run(INSERT, ("taken", "v")))
    with pytest.raises(IntegrityError):
        store.write(lambda tx: tx.session.add(Meta(key="taken", value="alone")))

    gate, started = threading.Event(), threading.Event()

    def hold(_tx):
        started.set()
        gate.wait(10)

    held = store.writer.submit(hold)
    started.wait(10)
    before = store.writer.submit(lambda tx: tx.session.add(Meta(key="before", value="v")))
    broken = store.writer.submit(
        lambda tx: (tx.run(INSERT, ("its own", "v")), tx.session.add(Meta(key="taken", value="v")))
    )
    after = store.writer.submit(lambda tx: tx.run(INSERT, ("after", "v")))
    gate.set()
    held.result(10)
    before.result(10)
    after.result(10)
    with pytest.raises(IntegrityError):
        broken.result(10)
    with store.read() as session:
        assert set(session.exec(select(Meta.key)).all()) == {"taken", "before", "after"}


def test_what_an_orm_change_leaves_unflushed_is_flushed(store):
    store.write(lambda tx: tx.session.add(Meta(key="late", value="v")))
    assert count(store) == 1


def test_a_closed_writer_says_so(tmp_path):
    store = Store(tmp_path)
    store.close()
    with pytest.raises(Unavailable, match="shutting down"):
        store.write(lambda tx: None)


def test_readers_cannot_write(store):
    with store.read() as session:
        session.add(Meta(key="k", value="v"))
        with pytest.raises(Exception, match="readonly"):
            session.commit()


def test_a_second_scheduler_on_the_same_folder_is_refused(store, tmp_path):
    with pytest.raises(Unavailable, match="Another scheduler is already active"):
        Store(tmp_path)


CHILD = """
import sys
from pathlib import Path
from scheduler.store.store import Store
from scheduler.store.transaction import Query
store = Store(Path(sys.argv[1]))
i = int(sys.argv[2])
while True:
    store.write(lambda tx: tx.run(Query("INSERT INTO meta (key, value) VALUES (?, ?)"), (str(i), "v")))
    print(i, flush=True)
    i += 1
"""


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    start = 0
    for _round in range(4):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(start)], stdout=subprocess.PIPE, text=True
        )
        acknowledged = start - 1
        for line in child.stdout:
            acknowledged = int(line)
            if acknowledged - start >= 20:
                child.send_signal(signal.SIGKILL)
                break
        rest = child.stdout.read().split()
        acknowledged = int(rest[-1]) if rest else acknowledged
        child.wait(10)
        store = Store(tmp_path)
        with store.read() as session:
            keys = {int(key) for key in session.exec(select(Meta.key)).all()}
        store.close()
        assert set(range(acknowledged + 1)) <= keys
        assert keys <= set(range(acknowledged + 2))
        start = max(keys) + 1


def test_the_sqlite_in_use_has_no_wal_reset_bug(store, tmp_path):
    from pysqlite3 import dbapi2

    assert dbapi2.sqlite_version_info >= (3, 51, 3)
    assert (Path(tmp_path) / "outfield.sqlite").exists()
    rows = store.write(lambda tx: tx.rows(Query("PRAGMA synchronous"), ()) + tx.rows(Query("PRAGMA journal_mode"), ()))
    assert [row[0] for row in rows] == [2, "wal"]
