"""`outfield up` as a user starts it: a process tree, a URL, a token. For tests of the whole road."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil

Found = TypeVar("Found")

START_S = 90.0
POLL_S = 0.02


class RunningFarm:
    """One `outfield up` on a data folder. `inside`: what is put before its command, and the client that reaches it."""

    def __init__(
        self,
        data: Path,
        *,
        workers: int = 1,
        flags: tuple[str, ...] = (),
        environment: dict[str, str] | None = None,
        inside: tuple[tuple[str, ...], type[httpx.Client]] = ((), httpx.Client),
    ):
        self.data = data
        prefix, client = inside
        self._log = data.parent / f"{data.name}.stderr"
        command = [
            *prefix, sys.executable, "-m", "scheduler.cli.main", "up", "--port", "0",
            "--data", str(data), "--workers", str(workers), *flags,
        ]  # fmt: skip
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                command,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=os.environ | (environment or {}),
                cwd=data.parent,
            )
        self.url = self._ready()
        self.token = (data / "admin.token").read_text().strip()
        self.client = client(base_url=self.url, headers={"Authorization": f"Bearer {self.token}"}, timeout=60.0)

    def _ready(self) -> str:
        timer = threading.Timer(START_S, self.process.kill)
        timer.start()
        line = self.process.stdout.readline()
        timer.cancel()
        found = re.fullmatch(r"outfield ready (http://\S+)\n", line)
        assert found, f"`outfield up` said {line!r}\n{self.log()}"
        return found[1]

    def log(self) -> str:
        """What it and its workers have said on standard error."""
        return self._log.read_text(errors="replace")

    # ---- What a client does ---------------------------------------------------------------------------------------

    def submit(self, **payload: Any) -> str:
        """Submit; returns the jobID."""
        answer = self.client.post("/new_job", json={"name": "job"} | payload)
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]["jobID"]

    def job(self, job: str) -> dict[str, Any]:
        """The job as the API shows it."""
        return self.client.get(f"/jobs/{job}").json()["data"]

    def tasks(self, job: str) -> list[dict[str, Any]]:
        """The job's tasks as the API shows them."""
        return self.client.get(f"/jobs/{job}/tasks").json()["data"]

    def wait(self, job: str, *statuses: str, within_s: float = 120.0) -> dict[str, Any]:
        """Wait until the job has ended (or has one of `statuses`)."""
        wanted = statuses or ("SUCCEEDED", "FAILED", "CANCELED")

        def ended() -> dict[str, Any] | None:
            found = self.job(job)
            return found if found["status"] in wanted else None

        return self.until(ended, within_s=within_s)

    def succeed(self, job: str, *, within_s: float = 120.0) -> dict[str, Any]:
        """Wait until the job has succeeded; anything else fails with the reasons."""
        found = self.wait(job, within_s=within_s)
        assert found["status"] == "SUCCEEDED", (found, self.client.get(f"/jobs/{job}/why").json(), self.log()[-4000:])
        return found

    def until(self, look: Callable[[], Found | None], *, within_s: float = 60.0) -> Found:
        """Look again and again until there is something."""
        deadline, pause = time.monotonic() + within_s, threading.Event()
        while True:
            found = look()
            if found:
                return found
            assert time.monotonic() < deadline, f"nothing after {within_s} s\n{self.log()[-4000:]}"
            pause.wait(POLL_S)

    # ---- What fate does -----------------------------------------------------------------------------------------

    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "worker" in child.cmdline()]

    def kill(self) -> None:
        """kill -9 of the scheduler's process alone."""
        self.process.kill()
        self.process.wait(30)
        self.process.stdout.close()
        self.client.close()

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        self.process.stdout.close()
        return code
