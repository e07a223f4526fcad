"""A wire tap: a TCP relay that keeps every byte that passes, for tests that ask what somebody on it could read."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

READ_BYTES = 1 << 16


class WireTap:
    """Relays 127.0.0.1:`port` to another port; `heard` is all that went through, both ways together."""

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._lock = threading.Lock()
        self.heard = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def stop(self) -> None:
        """Take no new connections; those that stand end with their peers."""
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                caller, _address = self._listener.accept()
            except OSError:
                return
            try:
                target = socket.create_connection(("127.0.0.1", self._to_port))
            except OSError:
                caller.close()
                continue
            for source, sink in ((caller, target), (target, caller)):
                threading.Thread(target=self._relay, args=(source, sink), daemon=True).start()

    def _relay(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(READ_BYTES):
                with self._lock:
                    self.heard += data
                sink.sendall(data)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
