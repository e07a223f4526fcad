"""A task's log on its way to the scheduler: bounded in lines and bytes, sent in chunks, never at the task's expense.

What has been sent has a fixed byte offset; what has not may still be thinned. When an outage or a chatty renderer
fills the buffer, the middle of the unsent part is dropped and a line says so; the end, where the reason of a failure
stands, is never dropped. A chunk that was sent without an answer is sent again as it was, so bytes never move.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

from scheduler.protocol.work import TaskRef
from worker.answers import CallFailed, Refused, StaleAttempt, TokenUnknown
from worker.client import SchedulerClient
from worker.settings import WorkerSettings
from worker.telemetry import logger

CHUNK_MAX_BYTES = 256 * 1024
FLUSH_ROUNDS_MIN = 4
"""Calls that even the smallest buffer may take: what travels, the beginning, the end, and one to see it is empty."""

_log = logger("logs")


@dataclass(frozen=True)
class LogLimits:
    """Bounds in bytes: one line, what may wait unsent, what is sent before only the end is kept."""

    line: int
    buffer: int
    total: int

    @classmethod
    def of(cls, settings: WorkerSettings) -> LogLimits:
        """The limits that the settings name."""
        return cls(settings.log_line_max_bytes, settings.log_buffer_max_bytes, settings.log_total_max_bytes)


class LogStream:
    """The log of one attempt. Written by its slot's thread, sent by one thread at a time."""

    def __init__(self, ref: TaskRef, secret: str, limits: LogLimits, offset: int = 0) -> None:
        self.ref, self.secret = ref, secret
        self.sending = threading.Lock()
        self._limits = limits
        self._lock = threading.Lock()
        self._sent = offset
        self._travelling = b""
        self._head = bytearray()
        self._tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._dropped = 0
        self._refused = False

    def write(self, text: str) -> None:
        """Add lines. Long lines are cut; when the buffer is full, the middle of it goes."""
        with self._lock:
            for line in text.splitlines() or [""]:
                self._add(self._cut(line.encode("utf-8", "replace")) + b"\n")

    def take(self, *, final: bool = False) -> tuple[int, bytes]:
        """The next chunk and its offset: the same one again until it is confirmed; empty when there is none.

        Without `final`, nothing is given out once the total is reached: the rest waits, so that the end is kept.
        """
        with self._lock:
            if self._refused:
                return self._sent, b""
            if not self._travelling and (final or self._sent < self._limits.total):
                self._travelling = self._next_chunk()
            return self._sent, self._travelling

    def confirm(self, count: int) -> None:
        """The first `count` bytes that travel have arrived."""
        with self._lock:
            self._sent += count
            self._travelling = self._travelling[count:]

    def refuse(self) -> None:
        """The scheduler will not take this log: keep nothing."""
        with self._lock:
            self._refused = True
            self._travelling = b""
            self._head.clear()
            self._tail.clear()
            self._tail_bytes = self._dropped = 0

    def remainder(self) -> tuple[int, bytes]:
        """Everything that has not arrived, and the offset at which it belongs: for the spool."""
        with self._lock:
            chunks = [self._travelling]
            while chunk := self._next_chunk():
                chunks.append(chunk)
            self._travelling = b"".join(chunks)
            return self._sent, self._travelling

    def resume(self, data: bytes) -> None:
        """Continue with bytes that a former life has written and not sent."""
        with self._lock:
            self._travelling = data

    @property
    def empty(self) -> bool:
        """Nothing waits to be sent."""
        with self._lock:
            return not (self._travelling or self._head or self._tail)

    def _cut(self, line: bytes) -> bytes:
        if len(line) <= self._limits.line:
            return line
        return line[: self._limits.line] + f" … {len(line) - self._limits.line} bytes cut".encode()

    def _add(self, line: bytes) -> None:
        half = self._limits.buffer // 2
        if not self._tail and len(self._head) + len(line) <= half:
            self._head += line
            return
        self._tail.append(line)
        self._tail_bytes += len(line)
        while self._tail_bytes > half and len(self._tail) > 1:
            gone = len(self._tail.popleft())
            self._tail_bytes -= gone
            self._dropped += gone

    def _next_chunk(self) -> bytes:
        if not self._head and self._tail:
            if self._dropped:
                self._head += f"… {self._dropped} bytes of log dropped here …\n".encode()
            self._head += b"".join(self._tail)
            self._tail.clear()
            self._tail_bytes = self._dropped = 0
        chunk = bytes(self._head[:CHUNK_MAX_BYTES])
        del self._head[: len(chunk)]
        return chunk


class LogShipper:
    """All open logs, and the calls that send them. `ship` is called once a second by a thread of the agent."""

    def __init__(self, client: SchedulerClient, limits: LogLimits) -> None:
        self._client, self._limits = client, limits
        self._lock = threading.Lock()
        self._streams: dict[TaskRef, LogStream] = {}

    def open(self, ref: TaskRef, secret: str, offset: int = 0) -> LogStream:
        """The stream of an attempt, made if there is none yet."""
        with self._lock:
            if ref not in self._streams:
                self._streams[ref] = LogStream(ref, secret, self._limits, offset)
            return self._streams[ref]

    def restore(self, ref: TaskRef, secret: str, offset: int, data: bytes) -> None:
        """Open a log that the spool has kept: `data` belongs at byte `offset`."""
        if data:
            self.open(ref, secret, offset).resume(data)

    def get(self, ref: TaskRef) -> LogStream | None:
        """The stream of an attempt, if it is open."""
        with self._lock:
            return self._streams.get(ref)

    def close(self, ref: TaskRef) -> None:
        """Forget an attempt's log."""
        with self._lock:
            self._streams.pop(ref, None)

    def ship(self) -> None:
        """Send one chunk of every log that has something new; an outage ends the round."""
        with self._lock:
            streams = [stream for stream in self._streams.values() if not stream.empty]
        for stream in streams:
            try:
                self._send(stream, final=False, rounds_max=1)
            except CallFailed as error:
                _log.debug("log_waits", task=stream.ref.task, attempt=stream.ref.attempt, reason=error.message)
                return

    def flush(self, ref: TaskRef) -> None:
        """Send what is left of an attempt's log.

        Raises:
            StaleAttempt: the attempt is not current any more. CallFailed: the scheduler cannot be reached.
        """
        stream = self.get(ref)
        if stream is not None:
            self._send(stream, final=True, rounds_max=FLUSH_ROUNDS_MIN + 2 * self._limits.buffer // CHUNK_MAX_BYTES)

    def _send(self, stream: LogStream, *, final: bool, rounds_max: int) -> None:
        with stream.sending:
            for _round in range(rounds_max):
                offset, chunk = stream.take(final=final)
                if not chunk:
                    return
                try:
                    self._client.append_log(stream.ref, stream.secret, offset, chunk)
                except (StaleAttempt, Refused) as error:
                    stream.refuse()
                    _log.info("log_refused", task=stream.ref.task, attempt=stream.ref.attempt, reason=error.message)
                    if isinstance(error, StaleAttempt):
                        raise
                    return
                except TokenUnknown:
                    return  # the sessions' lanes notice this too, and decide what becomes of the worker
                stream.confirm(len(chunk))
