"""The pool survives whatever its processes meet, and never makes its caller pay for it."""

from __future__ import annotations

import asyncio
import os
import signal
import struct
import subprocess
import sys
import zlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import images
import numpy as np
import pytest
from PIL import Image

from scheduler.imaging import process
from scheduler.imaging.facts import Expectation
from scheduler.imaging.pool import ImagingPool
from scheduler.imaging.requests import Answer

PNG = Expectation("png")


def run(scene: Callable[[ImagingPool], Awaitable[Any]], **options: Any) -> Any:
    """Runs `scene` with a started pool, and checks that no child outlives it."""

    async def play() -> tuple[Any, list[int]]:
        pool = ImagingPool(**({"size": 1} | options))
        await pool.start()
        try:
            return await scene(pool), pool.pids
        finally:
            await pool.close()

    result, pids = asyncio.run(play())
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
    return result


@pytest.fixture
def good(tmp_path: Path) -> Path:
    path = tmp_path / "good.png"
    path.write_bytes(images.png())
    return path


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A PNG that takes half a second or more to decode: 100 million black pixels."""
    path = tmp_path_factory.mktemp("slow") / "slow.png"
    path.write_bytes(images.raw_png(10_000, 10_000, 8, 0, bytes(100_000_000)))
    return path


def test_good_and_bad_files_get_their_verdicts(good: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(images.png()[:-5])

    async def scene(pool: ImagingPool) -> list[str]:
        found = [await pool.check(path, PNG) for path in (good, tmp_path / "bad.png", tmp_path / "none.png")]
        return [verdict.code for verdict in found]

    assert run(scene) == ["ok", "truncated", "file_missing"]


def test_names_of_any_kind_travel_to_the_child_and_back(tmp_path: Path) -> None:
    path = tmp_path / 'Ünïcode \n" frame.png'
    path.write_bytes(images.png())

    assert run(lambda pool: pool.check(path, PNG)).ok


def test_one_process_is_kept_warm(good: Path) -> None:
    async def scene(pool: ImagingPool) -> set[int]:
        pids: set[int] = set()
        for _ in range(5):
            assert (await pool.check(good, PNG)).ok
            pids.update(pool.pids)
        return pids

    assert len(run(scene)) == 1


def test_a_process_is_replaced_after_so_many_files(good: Path) -> None:
    async def scene(pool: ImagingPool) -> set[int]:
        pids: set[int] = set()
        for _ in range(4):
            pids.update(pool.pids)
            assert (await pool.check(good, PNG)).ok
        return pids

    assert len(run(scene, files_max=2)) == 2


def test_a_process_that_died_in_between_is_replaced_unnoticed(good: Path) -> None:
    async def scene(pool: ImagingPool) -> bool:
        (child,) = pool.pids
        os.kill(child, signal.SIGKILL)
        assert pool._slots[0].child is not None
        await pool._slots[0].child._process.wait()
        return (await pool.check(good, PNG)).ok

    assert run(scene)


def test_a_crash_is_a_verdict_and_the_next_file_is_fine(good: Path, slow: Path) -> None:
    async def scene(pool: ImagingPool) -> None:
        (child,) = pool.pids
        question = asyncio.create_task(pool.check(slow, PNG))
        await asyncio.sleep(0.05)
        os.kill(child, signal.SIGSEGV)
        verdict = await question
        assert (verdict.ok, verdict.code) == (False, "decoder_crashed")
        assert "signal 11" in verdict.message
        assert (await pool.check(good, PNG)).ok

    run(scene)


def test_a_file_that_takes_too_long_is_given_up(good: Path, slow: Path) -> None:
    async def scene(pool: ImagingPool) -> None:
        verdict = await pool.check(slow, PNG)
        assert (verdict.code, verdict.message) == ("decoder_timeout", "The image could not be decoded within 0.05 s.")

    run(scene, timeout_s=0.05)


def test_a_question_that_is_given_up_does_not_confuse_the_next(good: Path, slow: Path, tmp_path: Path) -> None:
    async def scene(pool: ImagingPool) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await pool.check(slow, PNG)
        verdict = await pool.check(good, PNG)
        assert verdict.ok
        assert verdict.facts is not None
        assert verdict.facts.width == images.WIDTH

    run(scene)


def test_an_image_that_needs_too_much_memory_is_refused(good: Path, tmp_path: Path) -> None:
    header = images.chunk(b"IHDR", struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0))
    pixels = images.chunk(b"IDAT", zlib.compress(bytes(1000)))
    (tmp_path / "bomb.png").write_bytes(b"\x89PNG\r\n\x1a\n" + header + pixels + images.chunk(b"IEND", b""))

    async def scene(pool: ImagingPool) -> list[str]:
        return [(await pool.check(path, PNG)).code for path in (tmp_path / "bomb.png", good)]

    assert run(scene, memory_max_bytes=2**30) == ["out_of_memory", "ok"]


def test_a_child_that_talks_nonsense_is_a_crash(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene(pool: ImagingPool) -> str:
        async def nonsense(_: process.DecoderProcess) -> Answer:
            return Answer(77)

        with monkeypatch.context() as patch:
            patch.setattr(process.DecoderProcess, "_answer", nonsense)
            return (await pool.check(good, PNG)).message

    assert run(scene) == "The image decoder crashed on this file (it gave no proper answer)."


def test_a_decoder_that_cannot_start_is_a_verdict(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")

    assert run(lambda pool: pool.check(good, PNG)).code == "decoder_unavailable"


def test_a_closed_pool_answers(good: Path, slow: Path) -> None:
    async def scene(pool: ImagingPool) -> None:
        busy = asyncio.create_task(pool.check(slow, PNG))
        waiting = [asyncio.create_task(pool.check(good, PNG)) for _ in range(3)]
        await asyncio.sleep(0)
        await pool.close()
        assert {verdict.code for verdict in await asyncio.gather(*waiting)} == {"pool_closed"}
        assert (await busy).code in {"ok", "pool_closed"}
        assert (await pool.check(good, PNG)).code == "pool_closed"

    run(scene)


def test_the_event_loop_runs_on_while_a_file_is_decoded(slow: Path) -> None:
    async def scene(pool: ImagingPool) -> int:
        question = asyncio.create_task(pool.check(slow, PNG))
        turns = 0
        while not question.done():
            await asyncio.sleep(0.001)
            turns += 1
        assert (await question).ok
        return turns

    assert run(scene) > 20


def test_several_processes_share_the_work(good: Path) -> None:
    async def scene(pool: ImagingPool) -> None:
        verdicts = await asyncio.gather(*(pool.check(good, PNG) for _ in range(40)))
        assert all(verdict.ok for verdict in verdicts)
        assert len(pool.pids) == 2

    run(scene, size=2)


def test_a_sheet_shows_every_entry_also_what_is_broken(good: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"nothing")
    exr = images.exr(tmp_path / "c.exr", {"Y": np.ones((24, 40), np.float16)})
    entries = [("0001", good), ("0002", tmp_path / "bad.png"), ("0003", exr), ("0004", tmp_path / "none.exr")]

    async def scene(pool: ImagingPool) -> None:
        assert (await pool.sheet(entries, tmp_path / "sheet.jpg", 2, 40)).ok
        assert (await pool.sheet([], tmp_path / "s.png", 2, 40)).code == "sheet_too_large"
        assert (await pool.sheet(entries, tmp_path / "s.gif", 2, 40)).code == "unsupported"
        assert (await pool.sheet(entries, tmp_path / "no" / "s.png", 2, 40)).code == "cannot_write"

    run(scene)
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.width > 80
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.png", "c.exr", "good.png", "sheet.jpg"]


def test_a_child_sees_no_secret_and_is_limited(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTFIELD_TOKEN", "planted")

    async def scene(pool: ImagingPool) -> tuple[str, str, str]:
        assert (await pool.check(good, PNG)).ok
        (child,) = pool.pids
        folder = Path(f"/proc/{child}")
        return (
            (folder / "environ").read_text(),
            (folder / "limits").read_text(),
            " ".join(str(link.readlink()) for link in (folder / "fd").iterdir()),
        )

    environment, limits, files = run(scene, memory_max_bytes=2**30)
    assert "planted" not in environment
    wanted = {"Max address space": str(2**30), "Max core file size": "0", "Max open files": "64"}
    found = {line[:26].strip(): line[26:].split()[0] for line in limits.splitlines()}
    assert {name: found[name] for name in wanted} == wanted
    assert set(files.split()) == {
        "/dev/null",
        *[name for name in files.split() if name.startswith(("pipe:", "socket:"))],
    }


def test_the_child_imports_neither_the_web_nor_the_database() -> None:
    code = "import sys, scheduler.imaging.child; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert not {"fastapi", "pydantic", "sqlmodel", "sqlalchemy", "asyncio", "numba", "scheduler.protocol"} & set(found)
