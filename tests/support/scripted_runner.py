"""A runner that does what a lease's settings say, so that the worker's tests can hold a task at any point.

Settings: `wait` (name of a gate to wait at), `deaf` (do not notice a cancel while waiting), `saves` (text of the
checkpoint that it leaves when it is stopped and asked to keep what it has), `files` (name → text),
`lines` (log lines), `fail` and `failure` (raise RenderFailed; `odd`
adds characters that cannot travel), `bug` (raise RuntimeError), `die` (kill the process).
"""

from __future__ import annotations

import os
import signal
import threading
from collections import defaultdict
from typing import Any

from worker.runners.base import Produced, RenderCancelled, RenderFailed, Reporter, Work
from worker.runners.registry import RunnerRegistry, RunnerSpec

GATE_POLL_S = 0.005


class ScriptedRunner:
    """Public state is for tests: `started` and `ended` list tasks, `gates` hold them, `works` keeps what they got."""

    name = "scripted"

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.gates: dict[str, threading.Event] = defaultdict(threading.Event)
        self.started: list[int] = []
        self.ended: list[int] = []
        self.works: dict[int, Work] = {}
        self.closed = False
        self.forgotten: list[str] = []
        self.ready = 0

    def versions(self) -> dict[str, Any]:
        return {"versions": ["1"]}

    def run(self, work: Work, reporter: Reporter) -> list[Produced]:
        task, script = work.lease.task, work.lease.settings
        with self.changed:
            self.started.append(task)
            self.works[task] = work
            self.changed.notify_all()
        try:
            return self._play(work, reporter, script)
        finally:
            with self.changed:
                self.ended.append(task)
                self.changed.notify_all()

    def _play(self, work: Work, reporter: Reporter, script: dict[str, Any]) -> list[Produced]:
        for number in range(script.get("lines", 0)):
            reporter.log(f"line {number}")
        reporter.progress(0.5, "half way")
        if "wait" in script:
            gate = self.gates[script["wait"]]
            while not gate.wait(GATE_POLL_S):
                if reporter.cancelled.is_set() and not script.get("deaf"):
                    raise RenderCancelled(self._saved(work, reporter, script))
        if script.get("die"):
            os.kill(os.getpid(), signal.SIGKILL)
        if "fail" in script:
            raise RenderFailed(
                script["fail"] + ("\0\udcff" if script.get("odd") else ""), script.get("failure", "user"), exit_code=3
            )
        if "bug" in script:
            raise RuntimeError(script["bug"])
        made: list[Produced] = []
        for name, text in script.get("files", {}).items():
            path = work.scratch / name
            path.write_text(text)
            made.append(Produced(path, "frame", frame=work.lease.frames[0], meta={"from": work.lease.task}))
        return made

    @staticmethod
    def _saved(work: Work, reporter: Reporter, script: dict[str, Any]) -> Produced | None:
        if "saves" not in script or not reporter.keep.is_set():
            return None
        path = work.scratch / "checkpoint.partial"
        path.write_text(script["saves"])
        return Produced(path, "checkpoint", meta={"done": 0.5})

    def wait_started(self, task: int, timeout_s: float = 10.0) -> Work:
        """Wait until the task runs; returns what it got."""
        with self.changed:
            assert self.changed.wait_for(lambda: task in self.started, timeout_s), f"task {task} did not start"
            return self.works[task]

    def warm(self) -> list[str]:
        return []

    def get_ready(self) -> None:
        with self.changed:
            self.ready += 1
            self.changed.notify_all()

    def forget(self, job: str) -> None:
        self.forgotten.append(job)

    def close(self) -> None:
        self.closed = True


SPECS = {
    "scripted": RunnerSpec("scripted_runner", "ScriptedRunner"),
    "null": RunnerSpec("worker.runners.null", "NullRunner"),
}


def scripted_registry() -> RunnerRegistry:
    """A registry with the scripted runner and the null runner."""
    return RunnerRegistry(specs=SPECS)
