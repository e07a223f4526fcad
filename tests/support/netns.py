"""Two places with a line between them that tests cut: network namespaces, joined by a pair of virtual interfaces.

The machine's own network is untouched. Needs root and iproute2; names are unique, and `close` takes everything away.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx

NEEDS = "needs root and iproute2 (apt-get install iproute2)"
CLONE_NEWNET = 0x40000000
_PROBE = "ofprobe"


def possible() -> bool:
    """Whether namespaces can be made here."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"{_PROBE}{uuid.uuid4().hex[:6]}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        _ip("netns", "del", name)
    return made


class Places:
    """Two namespaces, `here` and `there`, at 10.77.1.1 and 10.77.1.2."""

    HERE, THERE = "10.77.1.1", "10.77.1.2"

    def __init__(self) -> None:
        mark = uuid.uuid4().hex[:8]
        self.here, self.there = f"of{mark}h", f"of{mark}t"
        try:
            self._join(mark)
        except BaseException:
            self.close()
            raise

    def _join(self, mark: str) -> None:
        for name in (self.here, self.there):
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        self._ends = (f"v{mark}h", f"v{mark}t")
        _ip("link", "add", self._ends[0], "netns", self.here, "type", "veth", "peer", "name", self._ends[1],
            "netns", self.there)  # fmt: skip
        for name, end, address in zip((self.here, self.there), self._ends, (self.HERE, self.THERE), strict=True):
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", end)
            _ip("-n", name, "link", "set", end, "up")

    def cut(self) -> None:
        """The line is dead: nothing arrives, and nobody is told so."""
        _ip("-n", self.there, "link", "set", self._ends[1], "down")

    def mend(self) -> None:
        """The line is there again."""
        _ip("-n", self.there, "link", "set", self._ends[1], "up")

    def inside(self, name: str) -> tuple[tuple[str, ...], type[httpx.Client]]:
        """What to put before a command so that it runs in a namespace, and a client whose calls start there."""
        return ("ip", "netns", "exec", name), client_inside(name)

    def close(self) -> None:
        """Take everything away; processes inside must have ended."""
        for name in (self.here, self.there):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)


def client_inside(name: str) -> type[httpx.Client]:
    """A kind of client whose sockets are made in a namespace: a thread can live in another one than its process."""

    def enter() -> None:
        with Path(f"/run/netns/{name}").open() as place:
            if ctypes.CDLL(None, use_errno=True).setns(place.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")

    class Inside(httpx.Client):
        def __init__(self, **options: Any) -> None:
            super().__init__(trust_env=False, **options)
            self._thread = ThreadPoolExecutor(1, initializer=enter)

        def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            return self._thread.submit(super().send, request, **options).result()

        def close(self) -> None:
            super().close()
            self._thread.shutdown()

    return Inside


def _ip(*words: str) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ip {' '.join(words)}: {done.stderr.strip()}")
