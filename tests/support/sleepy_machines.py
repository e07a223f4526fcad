"""Machines that sleep, wake of a magic packet and can be sent to sleep, all on loopback.

A closed port of loopback refuses at once, which a sleeping machine does not. So a sleeping machine is a socket whose
queue of connections is full: what knocks then is not answered. An awake one refuses.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress

MARK = b"\xff" * 6


class SleepyMachine:
    """One machine: its card's address, and a port of loopback."""

    def __init__(self, number: int) -> None:
        self.name, self.mac = f"ws{number}", f"02:00:00:00:00:{number:02x}"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.packets = 0
        self.deaf = False
        self._held: list[socket.socket] = []
        self.sleep()

    @property
    def asleep(self) -> bool:
        """Whether nothing answers on its port."""
        return bool(self._held)

    def sleep(self) -> None:
        """Stop answering."""
        if self._held:
            return
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(0)
        self._held = [listener]
        for _waiting in range(2):
            knock = socket.socket()
            knock.setblocking(False)
            with suppress(BlockingIOError):
                knock.connect(("127.0.0.1", self.port))
            self._held.append(knock)

    def wake(self) -> None:
        """Answer from now on."""
        for each in self._held:
            each.close()
        self._held = []

    def table(self) -> dict[str, object]:
        """The machine as the settings have it."""
        return {"name": self.name, "mac": self.mac, "address": "127.0.0.1", "port": self.port}


class SleepyNetwork:
    """Some machines and the segment on which they hear packets; `sleep NAME` sends one to sleep."""

    def __init__(self, count: int) -> None:
        self.machines = {f"ws{number}": SleepyMachine(number) for number in range(1, count + 1)}
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._hear, daemon=True)
        self._thread.start()

    @property
    def sleep_command(self) -> tuple[str, ...]:
        """What a studio would put into the pool's settings."""
        return ("bash", "-c", f"echo -n sleep {{name}} > /dev/udp/127.0.0.1/{self.port}")

    def close(self) -> None:
        """Let go of all ports."""
        self._socket.sendto(b"", ("127.0.0.1", self.port))
        self._thread.join(10)
        self._socket.close()
        for machine in self.machines.values():
            machine.wake()

    def _hear(self) -> None:
        while data := self._socket.recv(2000):
            for machine in self.machines.values():
                if data == MARK + bytes.fromhex(machine.mac.replace(":", "")) * 16:
                    machine.packets += 1
                    if not machine.deaf:
                        machine.wake()
                elif data == f"sleep {machine.name}".encode():
                    machine.sleep()
