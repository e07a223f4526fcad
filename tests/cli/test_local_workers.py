"""Workers as child processes: the join code goes through the pipe, crashes are mended, the end is orderly."""

from __future__ import annotations

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from scheduler.cli.local_farm import reachable
from scheduler.cli.local_workers import RESTART_CAP_S, Crew, LocalWorkers, restart_delay_s
from scheduler.cli.serving import worker_count
from scheduler.settings import load_settings

CHILD = """
import signal, sys
from pathlib import Path
folder, number = Path(sys.argv[1]), sys.argv[2]
def leave(*_):
    (folder / f"left-{number}").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, leave)
code = sys.stdin.readline().strip()
with (folder / f"codes-{number}").open("a") as file:
    file.write(code + "\\n")
if (folder / f"crash-{number}").exists():
    (folder / f"crash-{number}").unlink()
    sys.exit(1)
signal.pause()
"""
WAIT_S = 20.0


@dataclass(frozen=True)
class ScriptedCrew(Crew):
    """Children that write down their join code and wait for a signal."""

    def command(self, number: int) -> list[str]:
        return [sys.executable, "-c", CHILD, str(self.folder), str(number)]


async def until(path: Path, lines: int) -> list[str]:
    async with asyncio.timeout(WAIT_S):
        while not path.exists() or len(path.read_text().splitlines()) < lines:  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.01)
    return path.read_text().splitlines()


def crew(folder: Path, count: int) -> ScriptedCrew:
    return ScriptedCrew(count, folder, "http://127.0.0.1:1", drain_s=WAIT_S, log_folder=folder)


async def code_for(name: str) -> str:
    return f"code-{name}"


def test_the_command_line_holds_no_code_and_names_the_parent(tmp_path: Path) -> None:
    command = Crew(2, tmp_path, "http://127.0.0.1:1", names="node").command(2)

    assert command[-2:] == ["--parent-pid", str(os.getpid())]
    assert command[command.index("--join") + 1] == "-"
    assert command[command.index("--data") + 1] == str(tmp_path / "2")
    assert command[command.index("--name") + 1] == "node-2"


def test_every_child_gets_a_code_and_leaves_when_told(tmp_path: Path) -> None:
    async def run() -> None:
        workers = LocalWorkers(crew(tmp_path, 2), code_for)
        await workers.start()
        for number in (1, 2):
            assert await until(tmp_path / f"codes-{number}", 1) == [f"code-{crew(tmp_path, 2).name(number)}"]
        await workers.stop()

    asyncio.run(run())
    assert (tmp_path / "left-1").exists()
    assert (tmp_path / "left-2").exists()


def test_a_child_that_crashes_is_started_again_with_a_new_code(tmp_path: Path) -> None:
    (tmp_path / "crash-1").touch()
    codes = iter(("first", "second"))

    async def next_code(_name: str) -> str:
        return next(codes)

    async def run() -> None:
        workers = LocalWorkers(crew(tmp_path, 1), next_code)
        await workers.start()
        assert await until(tmp_path / "codes-1", 2) == ["first", "second"]
        await workers.kill()

    asyncio.run(run())
    assert not (tmp_path / "left-1").exists()


def test_crashes_in_a_row_wait_longer_and_longer() -> None:
    delays = [restart_delay_s(crashes) for crashes in range(1, 12)]

    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (0.5, RESTART_CAP_S)


def test_half_the_cores_work_unless_something_else_is_set() -> None:
    unset = load_settings(file=None, environment={}, flags={"server.workers": None})

    assert [worker_count(unset, cores) for cores in (1, 2, 3, 16)] == [1, 1, 1, 8]
    assert worker_count(load_settings(environment={}, flags={"server.workers": 0}), 16) == 0
    assert worker_count(load_settings(environment={"OUTFIELD_SERVER__WORKERS": "3"}), 16) == 3


def test_workers_reach_a_scheduler_that_listens_everywhere() -> None:
    assert reachable("http://0.0.0.0:8000") == "http://127.0.0.1:8000"
    assert reachable("http://[::]:8000") == "http://[::1]:8000"
    assert reachable("http://10.0.0.5:8000") == "http://10.0.0.5:8000"
