"""A child's clean environment, bounded output, and end with everything it has started."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from blend_scenes import gone
from hypothesis import given
from hypothesis import strategies as st

from worker.runners.process_tree import LINE_MAX_BYTES, LineSplitter, ProcessTree, scrubbed_environment

ENVIRONMENT = {"PATH": "/usr/bin:/bin"}


class Output:
    """Lines as they come, and a way to wait for one."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._came = threading.Condition()

    def __call__(self, line: str) -> None:
        with self._came:
            self.lines.append(line)
            self._came.notify_all()

    def wait_for(self, start: str) -> str:
        with self._came:
            assert self._came.wait_for(lambda: any(line.startswith(start) for line in self.lines), 20), self.lines
        return next(line for line in self.lines if line.startswith(start))


def python(code: str, output: Output, folder: Path, **options: object) -> ProcessTree:
    argv = [sys.executable, "-u", "-c", code]
    return ProcessTree(argv, environment=ENVIRONMENT, folder=folder, on_line=output, **options)  # type: ignore[arg-type]


def test_only_allowed_variables_reach_a_renderer(tmp_path: Path) -> None:
    source = {
        "PATH": "/bin",
        "LANG": "C.UTF-8",
        "OCIO": "/studio/config.ocio",
        "HOME": "/home/artist",
        "OUTFIELD_TOKEN": "secret",
        "OUTFIELD_WORKER__JOIN": "secret",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "PYTHONPATH": "/evil",
        "PYTHONHOME": "/evil",
        "VIRTUAL_ENV": "/evil",
        "LD_PRELOAD": "/evil.so",
        "foundry_LICENSE": "4101@licences",
    }
    found = scrubbed_environment(source, tmp_path, also={"foundry_LICENSE"})
    assert {name for name in found if name in source} == {"PATH", "LANG", "OCIO", "HOME", "foundry_LICENSE"}
    assert found["HOME"] == str(tmp_path / "home")
    assert Path(found["TMPDIR"]).is_dir()
    assert "secret" not in " ".join(found.values())


@given(st.lists(st.binary(max_size=40), max_size=20), st.integers(1, 50))
def test_lines_do_not_depend_on_how_bytes_arrive(chunks: list[bytes], limit: int) -> None:
    text = b"".join(chunks)
    expected = [line[:limit].decode("utf-8", "replace").rstrip() for line in text.replace(b"\r", b"\n").split(b"\n")]
    one = LineSplitter(limit)
    assert [line for line in one.feed(text) + one.close() if line] == [line for line in expected if line]
    many = LineSplitter(limit)
    found = [line for chunk in chunks for line in many.feed(chunk)] + many.close()
    assert found == [line for line in expected if line]


def test_an_endless_line_is_cut_and_does_not_fill_the_memory() -> None:
    splitter = LineSplitter(100)
    lines = [line for _ in range(1000) for line in splitter.feed(b"x" * 1000)]
    assert lines == ["x" * 100]
    assert splitter.feed(b"\nnext\n") == ["next"]


def test_output_is_merged_or_apart(tmp_path: Path) -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr)"
    merged, errors, out = Output(), Output(), Output()
    assert python(code, merged, tmp_path).wait(20) == 0
    assert sorted(merged.lines) == ["err", "out"]
    assert python(code, errors, tmp_path, on_stdout=out).wait(20) == 0
    assert (out.lines, errors.lines) == (["out"], ["err"])


def test_the_tail_keeps_the_last_lines(tmp_path: Path) -> None:
    output = Output()
    process = python("for i in range(1000): print(i, 'y' * 10000)", output, tmp_path)
    process.wait(30)
    assert process.tail[-1].startswith("999 y")
    assert len(process.tail) == 200
    assert max(map(len, process.tail)) == LINE_MAX_BYTES


def test_it_reads_what_it_is_sent(tmp_path: Path) -> None:
    output = Output()
    process = python("print('got', input())", output, tmp_path)
    assert process.send("über")
    assert process.wait(20) == 0
    assert output.lines == ["got über"]
    assert not process.send("more")


def test_kill_ends_children_and_those_that_left_the_group(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "sleep = [sys.executable, '-c', 'import time; time.sleep(600)']\n"
        "a = subprocess.Popen(sleep); b = subprocess.Popen(sleep, start_new_session=True)\n"
        "print('pids', a.pid, b.pid); time.sleep(600)\n"
    )
    output = Output()
    process = python(code, output, tmp_path)
    pids = [int(word) for word in output.wait_for("pids").split()[1:]]
    process.kill()
    assert all(gone(pid, 2) for pid in [process.pid, *pids])
    assert process.exit_code == -9
    process.kill()


def test_a_leader_that_ends_takes_its_group_along(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys\n"
        "print('pid', subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']).pid)\n"
    )
    output = Output()
    process = python(code, output, tmp_path)
    pid = int(output.wait_for("pid").split()[1])
    assert process.wait(20) == 0
    assert gone(pid, 2)


@pytest.mark.parametrize(
    ("code", "expected"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)]
)
def test_a_watched_program_ends_with_its_own_code(tmp_path: Path, code: str, expected: int) -> None:
    assert python(code, Output(), tmp_path, watched=True).wait(20) == expected


def test_a_watched_program_ends_with_its_worker(tmp_path: Path) -> None:
    """The worker is killed, so only the closing of the pipe tells; the program itself never reads stdin."""
    worker = (
        "import sys, time; from pathlib import Path\n"
        "from worker.runners.process_tree import ProcessTree\n"
        "code = 'import os, time; print(\"pid\", os.getpid(), flush=True); time.sleep(600)'\n"
        "ProcessTree([sys.executable, '-c', code], environment={'PATH': '/bin'}, folder=Path(sys.argv[1]),\n"
        "            on_line=lambda line: print(line, flush=True), watched=True)\n"
        "time.sleep(600)\n"
    )
    argv = [sys.executable, "-c", worker, str(tmp_path)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline().split()[1])
        children = [child.pid for child in psutil.Process(process.pid).children(recursive=True)]
        assert pid in children
        process.kill()
        process.wait()
        assert all(gone(child, 5) for child in children)


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ProcessTree([str(tmp_path / "none")], environment=ENVIRONMENT, folder=tmp_path, on_line=Output())
