"""A scheduler in a process of its own for the benchmarks, and the few calls that they make to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class FarmProcess:
    """`outfield scheduler` on a free port and an empty data folder; ended and removed on the way out."""

    def __init__(self, **environment: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="outfield-bench-")
        self.data = Path(self._folder.name)
        command = [sys.executable, "-m", "scheduler.cli.main", "scheduler", "--port", "0", "--data", str(self.data)]
        self._log = (self.data / "stderr.log").open("wb")
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=self._log, text=True, env=os.environ | environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.match(r"outfield ready http://([^:]+):(\d+)", line)
        if found is None:
            raise RuntimeError(f"the scheduler did not start: {line!r} {(self.data / 'stderr.log').read_text()}")
        self.host, self.port = found[1], int(found[2])
        self.token = (self.data / "admin.token").read_text().strip()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self._log.close()
        self._folder.cleanup()

    def call(self, method: str, path: str, body: Any = None, token: str | None = None) -> Any:
        """One REST call; returns `data`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        headers = {"Authorization": f"Bearer {token or self.token}", "Content-Type": "application/json"}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        if response.status >= 400:
            raise RuntimeError(f"{method} {path}: {response.status} {answer}")
        return answer["data"]

    def join(self, name: str) -> tuple[str, str]:
        """A new worker that only does nothing; returns its id and token."""
        code = self.call("POST", "/tokens", {"name": name, "role": "worker"})["token"]
        capabilities = {"vcpus": 2, "memory_gib": 4, "renderers": {"null": ["1"]}}
        hello = {"join": code, "name": name, "slots": 64, "capabilities": capabilities}
        welcome = self.call("POST", "/workers", hello)
        return welcome["worker"], welcome["token"]

    def cpu_s(self) -> float:
        """Processor seconds that the scheduler has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        """Resident memory of the scheduler."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
