"""Lease + complete of no-op tasks through the real API, against Ray in the same run.

Two worker processes exchange reports for leases with `POST /workers/{id}/sync`: authenticated, validated, durable
(`synchronous=FULL`). Ray runs the same number of no-op tasks on two CPUs, in memory. The two take turns, so that a
machine whose speed drifts does not favour either.

    python -m venv .venv-bench && .venv-bench/bin/pip install ray==2.60.0
    python benchmarks/hot_road.py [--tasks 6000] [--rounds 3] [--ray PYTHON]

`--ray` is a Python that has Ray, by default that of `.venv-bench`; without one only this farm is measured.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import statistics
import subprocess
import time
from pathlib import Path
from typing import Any

import msgspec
from farm_process import FarmProcess

from scheduler.protocol.work import Report, SyncEnvelope, SyncRequest

BATCHES = (1, 16)
RAY_PYTHON = Path(__file__).parents[1] / ".venv-bench" / "bin" / "python"
RECEIVE_BYTES = 1 << 16
RAY = """
import sys, time, ray
count = int(sys.argv[1])
ray.init(num_cpus=2, include_dashboard=False, object_store_memory=200_000_000, logging_level="ERROR")
@ray.remote
def nothing(i):
    return i
ray.get([nothing.remote(i) for i in range(200)])
started = time.perf_counter()
ray.get([nothing.remote(i) for i in range(count)])
print("rate", count / (time.perf_counter() - started))
"""


def call(connection: socket.socket, head: bytes, body: bytes) -> bytes:
    """One exchange on a kept connection; returns the answer's body. A plain socket: the clients share the cores."""
    connection.sendall(head % len(body) + body)
    received = connection.recv(RECEIVE_BYTES)
    while (end := received.find(b"\r\n\r\n")) < 0:
        received += connection.recv(RECEIVE_BYTES)
    if not received.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(received.decode())
    length = int(received[:end].lower().partition(b"content-length: ")[2].split(b"\r", 1)[0])
    while len(received) < end + 4 + length:
        received += connection.recv(RECEIVE_BYTES)
    return received[end + 4 :]


def work(host: str, port: int, worker: str, token: str, batch: int, done: Any) -> None:
    """One worker: hand over, take on, until there is nothing left."""
    connection = socket.create_connection((host, port), timeout=60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = (
        f"POST /workers/{worker}/sync HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n"
        "Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    ).encode()
    decode = msgspec.json.Decoder(SyncEnvelope).decode
    reports: list[Report] = []
    count = 0
    while True:
        answer = call(connection, head, msgspec.json.encode(SyncRequest(reports=reports, want=batch)))
        reply = decode(answer).data
        count += sum(1 for ack in reply.acks if ack.status == 200)
        if not reply.leases:
            break
        reports = [Report(lease.task, lease.attempt, lease.secret, "done") for lease in reply.leases]
    done.put(count)


def outfield_rate(farm: FarmProcess, workers: list[tuple[str, str]], batch: int, tasks: int) -> float:
    """Tasks per second of a job of `tasks` no-op tasks."""
    farm.call("POST", "/new_job", {"name": f"no-op {batch}", "renderer": "null", "frames": f"1-{tasks}"})
    time.sleep(0.5)
    done: Any = multiprocessing.Queue()
    arguments = [(farm.host, farm.port, worker, token, batch, done) for worker, token in workers]
    processes = [multiprocessing.Process(target=work, args=each) for each in arguments]
    started = time.perf_counter()
    for process in processes:
        process.start()
    total = sum(done.get() for _ in processes)
    seconds = time.perf_counter() - started
    for process in processes:
        process.join()
    if total != tasks:
        raise RuntimeError(f"{total} of {tasks} tasks were completed")
    return tasks / seconds


def ray_rate(python: str, tasks: int) -> float:
    """Tasks per second of Ray."""
    found = subprocess.run([python, "-c", RAY, str(tasks)], check=True, capture_output=True, text=True)
    return float(next(line.split()[1] for line in found.stdout.splitlines() if line.startswith("rate")))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ray", default=str(RAY_PYTHON) if RAY_PYTHON.exists() else None)
    arguments = parser.parse_args()
    rates: dict[str, list[float]] = {}
    with FarmProcess() as farm:
        workers = [farm.join(f"bench{i}") for i in range(2)]
        for _round in range(arguments.rounds):
            for batch in BATCHES:
                tasks = arguments.tasks * (1 if batch == 1 else 4)
                rates.setdefault(f"outfield batch {batch}", []).append(outfield_rate(farm, workers, batch, tasks))
            if arguments.ray:
                rates.setdefault("ray", []).append(ray_rate(arguments.ray, arguments.tasks))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, values in rates.items():
        print(f"{name:20s} median {medians[name]:9.0f} tasks/s   all {[round(value) for value in values]}")
    if "ray" in medians:
        for batch in BATCHES:
            # Round by round: the machine's speed drifts more between rounds than the two differ.
            ratios = [ours / ray for ours, ray in zip(rates[f"outfield batch {batch}"], rates["ray"], strict=True)]
            shown = [round(ratio, 2) for ratio in ratios]
            print(f"ratio to Ray at batch {batch}: median of rounds {statistics.median(ratios):.2f}   all {shown}")
    print(json.dumps(medians))


if __name__ == "__main__":
    main()
