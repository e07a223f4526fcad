"""Ten thousand live agents on one scheduler process: each sends a heartbeat every 10 s and asks for work every 5 s.

Real keep-alive sockets, real tokens. Prints the scheduler's processor share, the answer times and the errors.

    python benchmarks/swarm.py [--agents 10000] [--seconds 20]
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import time

import uvloop
from farm_process import FarmProcess

HEARTBEAT_S = 10.0
POLL_S = 5.0
CONNECT_AT_ONCE = 200


class Agent(asyncio.Protocol):
    """One agent on one connection; a call waits for the answer to the one before."""

    def __init__(self, swarm: Swarm, worker: str, token: str) -> None:
        self._swarm = swarm
        head = f"POST /workers/{worker}/sync HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        self._calls = {
            body: f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode() for body in ("{}", '{"want":1}')
        }
        self._waiting: list[tuple[float, bytes]] = []
        self._sent_at: float | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Asyncio's call: the connection stands."""
        self._transport = transport

    def start(self) -> None:
        """Begin at a random moment, so that the agents do not call all at once."""
        loop = asyncio.get_running_loop()
        for body, interval in (("{}", HEARTBEAT_S), ('{"want":1}', POLL_S)):
            loop.call_later(random.random() * interval, self._fire, body, interval)

    def _fire(self, body: str, interval: float) -> None:
        asyncio.get_running_loop().call_later(interval, self._fire, body, interval)
        now = time.perf_counter()
        if self._sent_at is None:
            self._sent_at = now
            self._transport.write(self._calls[body])  # type: ignore[attr-defined]
        else:
            self._waiting.append((now, self._calls[body]))

    def data_received(self, data: bytes) -> None:
        """Asyncio's call: a part of an answer."""
        self._received += data
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._received[:end].lower()
        length = int(head.split(b"content-length: ")[1].split(b"\r")[0])
        if len(self._received) < end + 4 + length:
            return
        self._swarm.answered(time.perf_counter() - (self._sent_at or 0.0), head.startswith(b"http/1.1 200"))
        self._received, self._sent_at = b"", None
        if self._waiting:
            self._sent_at, call = self._waiting.pop(0)
            self._transport.write(call)  # type: ignore[attr-defined]

    def connection_lost(self, _exc: Exception | None) -> None:
        """Asyncio's call: the connection is gone."""
        self._swarm.errors += 1


class Swarm:
    """All agents and what they have seen."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.errors = 0

    def answered(self, seconds: float, ok: bool) -> None:
        """One call was answered."""
        self.times.append(seconds)
        self.errors += not ok


async def run(farm: FarmProcess, agents: int, seconds: float) -> None:
    """Connect, settle, measure, print."""
    swarm, loop = Swarm(), asyncio.get_running_loop()
    known = [farm.join(f"agent{i}") for i in range(min(agents, 100))]
    connected: list[Agent] = []
    for first in range(0, agents, CONNECT_AT_ONCE):
        made = await asyncio.gather(
            *(
                loop.create_connection(lambda i=i: Agent(swarm, *known[i % len(known)]), farm.host, farm.port)
                for i in range(first, min(agents, first + CONNECT_AT_ONCE))
            )
        )
        connected += [protocol for _transport, protocol in made]
    for agent in connected:
        agent.start()
    await asyncio.sleep(POLL_S)
    swarm.times.clear()
    cpu_s, started = farm.cpu_s(), time.perf_counter()
    await asyncio.sleep(seconds)
    elapsed, share = time.perf_counter() - started, farm.cpu_s() - cpu_s
    times = sorted(swarm.times)
    print(f"agents {len(connected)}  calls/s {len(times) / elapsed:.0f}  errors {swarm.errors}")
    print(f"scheduler: {100 * share / elapsed:.0f} % of a core, {farm.rss_mib():.0f} MiB resident")
    print("answers: " + "  ".join(f"p{p} {times[int(len(times) * p / 100)] * 1e3:.1f} ms" for p in (50, 95, 99)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agents", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=20.0)
    arguments = parser.parse_args()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, arguments.agents + 1000)), hard))
    with FarmProcess() as farm:
        uvloop.run(run(farm, arguments.agents, arguments.seconds))


if __name__ == "__main__":
    main()
