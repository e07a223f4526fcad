"""The network side of waking: magic packets, and whether a machine answers. It decides nothing."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from scheduler.errors import Unavailable
from scheduler.settings import Machine

PACKETS = 3
"""Datagrams get lost, and network cards wake of one."""

PROBES_AT_ONCE = 64
NO_NETWORK = frozenset({errno.ENETUNREACH, errno.ENETDOWN})


def magic_packet(mac: str) -> bytes:
    """Six bytes FF and sixteen times the address (AMD, Magic Packet Technology, 1995)."""
    return b"\xff" * 6 + bytes.fromhex(mac.replace(":", "").replace("-", "")) * 16


def wake(machines: Sequence[Machine], broadcast: str, port: int) -> None:
    """Send each machine its magic packets.

    Raises:
        Unavailable: the network does not take them.
    """
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            for _packet in range(PACKETS):
                for machine in machines:
                    sender.sendto(magic_packet(machine.mac), (broadcast, port))
    except OSError as error:
        raise Unavailable(
            f"Magic packets cannot be sent to {broadcast}:{port}: {error.strerror or error}.",
            hint="Correct the pool's `broadcast`, or look at this machine's network.",
        ) from error


def awake(machines: Sequence[Machine], probe_s: float) -> frozenset[str]:
    """The names of those that answer on their TCP port; a refusal is an answer.

    Raises:
        Unavailable: this machine has no network, so that silence says nothing.
    """
    if not machines:
        return frozenset()
    with ThreadPoolExecutor(max_workers=min(PROBES_AT_ONCE, len(machines))) as probes:
        answers = list(probes.map(lambda machine: _answers(machine, probe_s), machines))
    return frozenset(machine.name for machine, answer in zip(machines, answers, strict=True) if answer)


def _answers(machine: Machine, probe_s: float) -> bool:
    try:
        socket.create_connection((machine.address, machine.port), timeout=probe_s).close()
    except ConnectionRefusedError:
        return True
    except OSError as error:
        if error.errno in NO_NETWORK:
            raise Unavailable("This machine has no way to the network of the pool's machines.") from error
        return False
    return True
