"""The line to the worker: commands come in on stdin, events go out on what was stdout, both as JSON lines.

What the scene prints must never be taken for an event, so the real stdout is set aside for events at the start, and
file descriptor 1 becomes a second stderr; every event also begins with a random token that only the worker knows.
When stdin closes the worker is gone, and so is this process at once, even in the middle of a render.
"""

# pyright: basic

from __future__ import annotations

import json
import os
import queue
import signal
import sys
import threading
from typing import Any


class Channel:
    """Commands in, events out. `emit` may be called from any thread."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._out = os.dup(1)
        os.dup2(2, 1)
        self._writing = threading.Lock()
        self._commands: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._prefix = b""
        self._id = 0
        first = sys.stdin.buffer.readline()
        if not first:
            _leave()
        self._prefix = json.loads(first)["token"].encode() + b" "
        threading.Thread(target=self._listen, name="outfield stdin", daemon=True).start()

    def next(self) -> dict[str, Any]:
        """The next command; waits for it. Events that follow carry its id."""
        command = self._commands.get()
        self._id = command["id"]
        return command

    def emit(self, event: str, **data: Any) -> None:
        """Send one event about the command that is being served."""
        line = self._prefix + json.dumps({"event": event, "id": self._id, **data}).encode() + b"\n"
        with self._writing:
            while line:
                line = line[os.write(self._out, line) :]

    def end_log(self) -> None:
        """Mark the end of what this command has printed: log and events travel apart, and the worker waits for both."""
        sys.stdout.flush()
        sys.stderr.flush()
        os.write(2, b"\n" + self._prefix + str(self._id).encode() + b"\n")

    def _listen(self) -> None:
        for line in sys.stdin.buffer:
            self._commands.put(json.loads(line))
        _leave()


def _leave() -> None:
    """End now. A clean exit would wait for the render, and Blender's own can hang while handlers are registered."""
    if hasattr(os, "killpg") and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with whatever the scene may have started
    os._exit(0)
