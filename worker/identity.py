"""Who this worker is to its farm: id and token from joining, kept in a file that only its user can read.

A restarted worker is the same worker. It joins again only when it must: when the scheduler has forgotten it, when it
was pointed at another scheduler, or when the machine has changed (a renderer was installed) and a join code is there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from scheduler.protocol import PROTOCOL_VERSION
from scheduler.protocol.workers import Capabilities, WorkerHello, WorkerWelcome
from worker.credentials import signing_request, write_private
from worker.settings import WorkerSettings


class Identity(msgspec.Struct, frozen=True):
    """What joining gave, and what was said then (`introduced`: all that routing depends on)."""

    server: str
    worker: str
    token: str
    farm: str
    lease_s: float
    renew_s: float
    introduced: dict[str, Any]


class NotJoined(Exception):
    """The worker is unknown to the scheduler and has no join code; the message says how to get one."""


def load_identity(data: Path) -> Identity | None:
    """The identity of the last life; None when there is none or it cannot be read."""
    try:
        return msgspec.json.decode((data / FILE_NAME).read_bytes(), type=Identity)
    except (FileNotFoundError, msgspec.DecodeError):
        return None


def save_identity(data: Path, identity: Identity) -> None:
    """Write the identity whole or not at all, readable by its user alone."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    write_private(data / FILE_NAME, msgspec.json.encode(identity))


def forget_identity(data: Path) -> None:
    """The scheduler does not know this identity any more."""
    (data / FILE_NAME).unlink(missing_ok=True)


def introduction(settings: WorkerSettings, capabilities: Capabilities) -> WorkerHello:
    """The worker's first words; over HTTPS it asks for a certificate."""
    return WorkerHello(
        join=settings.join,
        name=settings.name,
        pool=settings.pool,
        slots=settings.slots,
        protocol=PROTOCOL_VERSION,
        instance=settings.instance,
        intent=settings.intent,
        capabilities=capabilities,
        csr=signing_request(settings.data, settings.name) if settings.server.startswith("https://") else None,
    )


def introduced(hello: WorkerHello) -> dict[str, Any]:
    """The part of an introduction that routing depends on."""
    said = hello.model_dump(mode="json", exclude={"join", "protocol", "capabilities", "csr"})
    said["capabilities"] = hello.capabilities.model_dump(mode="json", exclude={"details"})
    return said


def may_keep(identity: Identity | None, settings: WorkerSettings, hello: WorkerHello, *, spool_empty: bool) -> bool:
    """May the worker go on under its old name? Not elsewhere; and not when it has changed and can say so.

    Undelivered work belongs to the old name, so that is kept until the spool is empty.
    """
    if identity is None or identity.server != settings.server:
        return False
    return identity.introduced == introduced(hello) or not settings.join or not spool_empty


def identity_from(settings: WorkerSettings, hello: WorkerHello, welcome: WorkerWelcome) -> Identity:
    """What to keep of the scheduler's welcome."""
    return Identity(
        server=settings.server,
        worker=welcome.worker,
        token=welcome.token,
        farm=welcome.farm,
        lease_s=welcome.lease_s,
        renew_s=welcome.renew_s,
        introduced=introduced(hello),
    )


def no_code_message(settings: WorkerSettings) -> str:
    """What to do when a join code is needed and missing."""
    return (
        f"The scheduler at {settings.server} does not know this worker. Make a join code there with "
        "`outfield token new --role worker`, and start the worker with --join CODE."
    )


FILE_NAME = "identity.json"
