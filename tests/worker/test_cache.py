"""The resource cache: fetched once, verified, shared between threads and processes, evicted when nobody looks."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from scheduler.protocol.bundles import UnsafeBundle
from worker.answers import Unreachable
from worker.cache import Entry, ResourceCache
from worker.fetching import FetchCancelled, ResourceDamaged

NEVER = threading.Event()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Storage:
    """The farm's storage as the cache sees it, with faults."""

    def __init__(self, *blobs: bytes) -> None:
        self.blobs = {sha(blob): blob for blob in blobs}
        self.offsets: list[int] = []
        self.break_at: list[int] = []
        self.damage_first = False
        self.entered = threading.Event()
        self.gate: threading.Event | None = None

    def download(self, sha256: str, into: IO[bytes], offset: int) -> Iterator[int]:
        self.offsets.append(offset)
        self.entered.set()
        if self.gate is not None:
            while not self.gate.wait(0.005):
                yield offset
        data = self.blobs[sha256]
        if self.damage_first and len(self.offsets) == 1:
            data = b"?" * len(data)
        end = self.break_at.pop(0) if self.break_at else len(data)
        into.write(data[offset:end])
        yield end
        if end < len(data):
            raise Unreachable("the line broke")


def extract(archive: Path, into: Path, _cancelled: Callable[[], bool]) -> None:
    if archive.read_bytes() == b"hostile":
        raise ValueError("it leads out")
    (into / "scene.blend").write_bytes(archive.read_bytes() * 2)


def make(folder: Path, storage: Storage, bytes_max: int = 10_000) -> ResourceCache:
    return ResourceCache(folder / "cache", bytes_max=bytes_max, download=storage.download, extract=extract)


def test_fetched_once_and_found_again_under_both_names(tmp_path: Path) -> None:
    storage = Storage(b"mesh")
    cache = make(tmp_path, storage)
    first = cache.file(sha(b"mesh"), "a.obj", NEVER)
    second = make(tmp_path, storage).file(sha(b"mesh"), "../../b.ply", NEVER)
    assert (first.path.name, second.path.name) == ("a.obj", "b.ply")
    assert first.path.read_bytes() == second.path.read_bytes() == b"mesh"
    assert cache.file(sha(b"mesh"), "a.obj", NEVER).path == first.path, "warm renderers know their scene by its path"
    assert storage.offsets == [0]
    assert second.path.is_relative_to(tmp_path / "cache")


def test_a_broken_download_is_continued(tmp_path: Path) -> None:
    data = bytes(range(256)) * 4
    storage = Storage(data)
    storage.break_at = [100, 700]
    assert make(tmp_path, storage).file(sha(data), "x", NEVER).path.read_bytes() == data
    assert storage.offsets == [0, 100, 700]


def test_a_download_is_continued_by_the_next_life(tmp_path: Path) -> None:
    data = bytes(1000)
    storage = Storage(data)
    storage.break_at = [300, 300]
    with pytest.raises(Unreachable):
        make(tmp_path, storage).file(sha(data), "x", NEVER)
    assert make(tmp_path, storage).file(sha(data), "x", NEVER).path.read_bytes() == data
    assert storage.offsets == [0, 300, 300]


def test_damaged_bytes_are_fetched_anew_once(tmp_path: Path) -> None:
    storage = Storage(b"mesh")
    storage.damage_first = True
    assert make(tmp_path, storage).file(sha(b"mesh"), "x", NEVER).path.read_bytes() == b"mesh"
    storage.blobs[sha(b"other")] = b"never this"
    with pytest.raises(ResourceDamaged):
        make(tmp_path, storage).file(sha(b"other"), "x", NEVER)
    assert list((tmp_path / "cache" / "parts").iterdir()) == []


@pytest.mark.parametrize("bad", ["", "../../etc/passwd", "Z" * 64, "A" * 64])
def test_a_hash_that_is_none_touches_nothing(tmp_path: Path, bad: str) -> None:
    with pytest.raises(ResourceDamaged):
        make(tmp_path, Storage()).file(bad, "x", NEVER)


def test_many_threads_fetch_once(tmp_path: Path) -> None:
    storage = Storage(b"mesh" * 1000)
    storage.gate = threading.Event()
    caches = [make(tmp_path, storage) for _ in range(2)]  # two workers on one machine
    entries: list[Entry] = []
    threads = [
        threading.Thread(
            target=lambda cache=cache: entries.append(cache.file(sha(b"mesh" * 1000), "m", NEVER)), daemon=True
        )
        for cache in caches
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    assert storage.entered.wait(5)
    storage.gate.set()
    for thread in threads:
        thread.join(10)
    assert len(entries) == 8 and len(storage.offsets) == 1
    assert {entry.path.read_bytes() for entry in entries} == {b"mesh" * 1000}


def test_a_second_task_does_not_wait_for_the_first_to_release(tmp_path: Path) -> None:
    """Both want the same scene; one fetches it and then renders for hours."""
    storage = Storage(b"mesh")
    storage.gate = threading.Event()
    cache, entries = make(tmp_path, storage), list[Entry]()
    threads = [
        threading.Thread(target=lambda: entries.append(cache.file(sha(b"mesh"), "m", NEVER)), daemon=True)
        for _ in range(2)
    ]
    threads[0].start()
    assert storage.entered.wait(5)
    threads[1].start()
    threads[1].join(0.1)
    storage.gate.set()
    for thread in threads:
        thread.join(5)
    assert len(entries) == 2


def test_a_cancel_ends_a_fetch_and_the_wait_for_one(tmp_path: Path) -> None:
    storage = Storage(b"mesh")
    storage.gate = threading.Event()
    cache, cancelled = make(tmp_path, storage), threading.Event()
    ended: list[type[BaseException]] = []

    def fetch() -> None:
        with pytest.raises(FetchCancelled) as caught:
            cache.file(sha(b"mesh"), "m", cancelled)
        ended.append(caught.type)

    threads = [threading.Thread(target=fetch) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert storage.entered.wait(5)
    cancelled.set()
    for thread in threads:
        thread.join(5)
    assert ended == [FetchCancelled, FetchCancelled]


def test_archives_are_extracted_once_and_a_bad_one_leaves_nothing(tmp_path: Path) -> None:
    storage = Storage(b"zip", b"hostile")
    cache = make(tmp_path, storage)
    for _ in range(2):
        entry = cache.tree(sha(b"zip"), NEVER)
        assert (entry.path / "scene.blend").read_bytes() == b"zipzip"
    assert storage.offsets == [0]
    with pytest.raises(ValueError, match="leads out"):
        cache.tree(sha(b"hostile"), NEVER)
    assert not list((tmp_path / "cache" / "entries").glob(f"*/{sha(b'hostile')}/tree*"))


def test_the_least_recently_used_goes_first_and_what_is_in_use_stays(tmp_path: Path) -> None:
    blobs = [bytes([number]) * 1000 for number in range(4)]
    cache = make(tmp_path, Storage(*blobs), bytes_max=2500)
    held = cache.file(sha(blobs[0]), "a", NEVER)
    for blob in blobs[1:]:
        cache.file(sha(blob), "a", NEVER).release()
    cache.folder.trim()
    assert held.path.read_bytes() == blobs[0], "the oldest, but in use"
    assert cache.folder.recent() == [sha(blobs[3]), sha(blobs[0])]
    held.release()
    held.release()
    cache.file(sha(blobs[1]), "a", NEVER).release()
    cache.folder.trim()
    assert sha(blobs[0]) not in cache.folder.recent()
    assert not list((tmp_path / "cache" / "gone").iterdir())


def test_eviction_in_another_process_respects_what_is_in_use_here(tmp_path: Path) -> None:
    storage = Storage(b"a" * 1000)
    cache = make(tmp_path, storage)
    entry = cache.file(sha(b"a" * 1000), "a", NEVER)
    program = (
        "import sys; from pathlib import Path; from worker.cache import ResourceCache\n"
        "none = lambda *given: iter(())\n"
        "print(ResourceCache(Path(sys.argv[1]), bytes_max=1, download=none, extract=none).folder.trim())"
    )

    def trim_elsewhere() -> str:
        return subprocess.check_output([sys.executable, "-c", program, tmp_path / "cache"], text=True).split()[-1]

    assert trim_elsewhere() == "0" and entry.path.exists()
    entry.release()
    assert trim_elsewhere() == "1000" and not entry.path.exists()


# ---- bundles ---------------------------------------------------------------------------------------------------------


def bundle_of(**files: bytes) -> bytes:
    places = {name.replace("_", "/"): sha(data) for name, data in files.items()}
    return json.dumps({"format": 1, "scene": next(iter(places)), "files": places}).encode()


def test_a_bundle_is_laid_out_and_shares_its_files_with_others(tmp_path: Path) -> None:
    one, other = bundle_of(a_scene=b"one", tex_x=b"x"), bundle_of(b_scene=b"two", tex_y=b"x")
    storage = Storage(one, other, b"one", b"two", b"x")
    cache = make(tmp_path, storage)
    trees = [cache.bundle(sha(each), NEVER).path.parent / "tree" for each in (one, other, one)]

    assert (trees[0] / "a" / "scene").read_bytes() == b"one"
    assert (trees[1] / "tex" / "y").read_bytes() == b"x"
    assert trees[0] == trees[2]
    assert len(storage.offsets) == 5, "each file was fetched once"
    assert (trees[0] / "tex" / "x").stat().st_ino == (trees[1] / "tex" / "y").stat().st_ino


def test_a_bundle_outlives_the_eviction_of_its_files(tmp_path: Path) -> None:
    manifest = bundle_of(scene=b"s" * 6000)
    cache = make(tmp_path, Storage(manifest, b"s" * 6000, b"t" * 6000), bytes_max=7000)
    held = cache.bundle(sha(manifest), NEVER)
    cache.file(sha(b"t" * 6000), "t", NEVER).release()
    cache.folder.trim()

    assert (held.path.parent / "tree" / "scene").read_bytes() == b"s" * 6000


def test_a_bundle_that_broke_off_is_laid_out_anew(tmp_path: Path) -> None:
    manifest = bundle_of(scene=b"s", tex_x=b"x")
    storage = Storage(manifest, b"s")
    with pytest.raises(KeyError):
        make(tmp_path, storage).bundle(sha(manifest), NEVER)
    storage.blobs[sha(b"x")] = b"x"

    held = make(tmp_path, storage).bundle(sha(manifest), NEVER)
    assert sorted(path.name for path in (held.path.parent / "tree").rglob("*") if path.is_file()) == ["scene", "x"]


def test_a_hostile_manifest_writes_nothing(tmp_path: Path) -> None:
    manifest = json.dumps({"format": 1, "scene": "../s", "files": {"../s": sha(b"s")}}).encode()
    cache = make(tmp_path, Storage(manifest, b"s"))
    with pytest.raises(UnsafeBundle):
        cache.bundle(sha(manifest), NEVER)

    assert not list(tmp_path.rglob("s"))
