"""Content of a job leaves a machine that is not the studio's own, at most so many seconds after the job's last task."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from fake_scheduler import FakeScheduler
from worker_rig import WorkerRig

from scheduler.protocol.work import Input, Lease, Scene
from worker.cache import ResourceCache
from worker.wiping import Wipe, Wiper


def lease(job: str, *blobs: str) -> Lease:
    scene = Scene(blob=blobs[0], name="a.blend") if blobs else Scene()
    inputs = [Input(blob, 1, "p", {}) for blob in blobs[1:]]
    return Lease(1, 1, "s", job, "merge", "kernel", [1], "png", {}, scene, inputs=inputs)


def test_a_job_is_due_when_it_was_not_held_for_so_long() -> None:
    wiper = Wiper(40.0)
    wiper.taken(lease("a", "s", "i"), 0.0)
    assert wiper.look({"a"}, 30.0) == Wipe()
    assert wiper.look(set(), 69.0) == Wipe()
    wipe = wiper.look(set(), 70.0)
    assert wipe == Wipe(("a",), ("i", "s"))
    assert wiper.look(set(), 71.0) == wipe, "due until it is gone"
    wiper.gone(wipe, [])
    assert wiper.look(set(), 72.0) == Wipe()


def test_what_another_job_needs_stays() -> None:
    wiper = Wiper(40.0)
    wiper.taken(lease("a", "shared", "own"), 0.0)
    wiper.taken(lease("b", "shared"), 30.0)
    assert wiper.look({"b"}, 50.0) == Wipe(("a",), ("own",))


def test_what_is_still_in_use_is_tried_again() -> None:
    wiper = Wiper(1.0)
    wiper.taken(lease("a", "s", "i"), 0.0)
    wiper.gone(wiper.look(set(), 2.0), ["s"])
    assert wiper.look(set(), 3.0) == Wipe(("a",), ("s",))


def test_the_cache_removes_what_nobody_uses_and_names_the_rest(tmp_path: Path) -> None:
    data = {hashlib.sha256(text).hexdigest(): text for text in (b"one", b"two", b"three")}

    def download(sha256, into, offset):
        into.write(data[sha256])
        yield len(data[sha256])

    cache = ResourceCache(tmp_path, bytes_max=10**6, download=download, extract=lambda *_: None)
    used, *others = [cache.file(sha256, "scene", threading.Event()) for sha256 in data]
    for entry in others:
        entry.release()

    assert cache.folder.wipe() == [next(iter(data))]
    assert sorted(path.name for path in (tmp_path / "entries").glob("??/*")) == [next(iter(data))]
    used.release()
    assert cache.folder.wipe([next(iter(data))]) == []
    assert not list((tmp_path / "entries").glob("??/*"))


MARKER = b"a marker that no other file holds: 9c1f"


def files_with_marker(folder: Path) -> list[Path]:
    """Those that hold it now; what vanishes while it is looked at does not."""
    found: list[Path] = []
    for root, _folders, names in os.walk(folder):
        for path in (Path(root) / name for name in names):
            with suppress(FileNotFoundError):
                if MARKER in path.read_bytes():
                    found.append(path)
    return found


@pytest.mark.parametrize("after_s", [0.0, 0.5], ids=["kept at home", "wiped in the cloud"])
def test_nothing_of_a_job_is_left_on_the_disk(tmp_path: Path, after_s: float) -> None:
    digest = hashlib.sha256(MARKER).hexdigest()
    with FakeScheduler() as fake:
        fake.blobs[digest] = MARKER
        with WorkerRig(fake, tmp_path, wipe_after_s=after_s) as rig:
            script = {"files": {"frame.png": MARKER.decode()}, "wait": "gate"}
            ref = fake.add(1, renderer="scripted", settings=script, scene=Scene(blob=digest, name="a.obj"))
            rig.runner.wait_started(1)
            time.sleep(max(after_s, 0.2) * 2)
            assert files_with_marker(tmp_path), "never while a task of the job runs"
            rig.runner.gates["gate"].set()
            fake.wait_for(lambda: fake.report_of(ref))
            deadline = time.monotonic() + (10.0 if after_s else 1.0)
            while files_with_marker(tmp_path) and time.monotonic() < deadline:
                time.sleep(0.05)
            left = [path.name for path in files_with_marker(tmp_path)]
            assert (left == []) is bool(after_s)
            assert (rig.runner.forgotten == ["00001"]) is bool(after_s)


def test_a_cloud_worker_begins_and_ends_with_an_empty_cache(tmp_path: Path) -> None:
    digest = hashlib.sha256(MARKER).hexdigest()
    with FakeScheduler() as fake:
        fake.blobs[digest] = MARKER
        for wipe_after_s in (0.0, 3600.0):
            with WorkerRig(fake, tmp_path, wipe_after_s=wipe_after_s) as rig:
                if wipe_after_s:
                    time.sleep(0.2)
                    assert files_with_marker(tmp_path) == [], "what a former life has left is nobody's"
                ref = fake.add(int(wipe_after_s) + 1, renderer="scripted", scene=Scene(blob=digest, name="a.obj"))
                fake.wait_for(lambda ref=ref: fake.report_of(ref))
                assert files_with_marker(tmp_path)
                rig.drain()
        assert files_with_marker(tmp_path) == []
