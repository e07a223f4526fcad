"""What `outfield doctor` looks at: each check says what it found, how good that is, and what to do next."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import stat
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from scheduler import __version__, ownership
from scheduler.cli.connection import ADMIN_TOKEN_FILE, Connection
from scheduler.errors import OutfieldError
from scheduler.settings import Settings

FREE_ENOUGH_BYTES = 5 * 2**30
"""Free disk under which a few EXR sequences may fill it."""

CLOCK_SKEW_WARN_S, CLOCK_SKEW_FAIL_S = 2.0, 60.0
CONNECT_TIMEOUT_S = 2.0
YEAR_MIN = 2025
"""A clock that shows an earlier year was never set."""

GIB = 2**30


class Level(StrEnum):
    """How good a finding is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True)
class Check:
    """One finding. `hint` is the next step, empty when there is nothing to do."""

    name: str
    level: Level
    found: str
    hint: str = ""


def packages() -> Check:
    """Are the imported packages ours?"""
    found = ownership.findings()
    if found:
        return Check("packages", Level.FAIL, "; ".join(f.found for f in found), found[0].hint)
    return Check("packages", Level.OK, f"outfield {__version__} on Python {platform.python_version()}")


def sqlite() -> Check:
    """Is there an SQLite without the bug that corrupts its log?"""
    from scheduler.store.engine import SQLITE_MIN

    needed = ".".join(map(str, SQLITE_MIN))
    hint = "pip install --upgrade pysqlite3"
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        return Check("SQLite", Level.FAIL, "the pysqlite3 package is missing", hint)
    version = ".".join(map(str, dbapi2.sqlite_version_info))
    if dbapi2.sqlite_version_info < SQLITE_MIN:
        return Check("SQLite", Level.FAIL, f"{version}, but {needed} is needed", hint)
    return Check("SQLite", Level.OK, version)


def data_folder(folder: Path, free_min_bytes: int) -> Check:
    """Can the farm write into its data folder, and is there room?"""
    parent = nearest(folder)
    problem = unwritable(parent)
    if problem:
        return Check(
            "data folder", Level.FAIL, f"{folder}: {problem}", f"Make it writable, or use another --data than {folder}."
        )
    free = shutil.disk_usage(parent).free
    found = f"{folder}, {free / GIB:.1f} GiB free" + ("" if folder.exists() else " (made at the first start)")
    if free < free_min_bytes:
        return Check("data folder", Level.FAIL, found, "Free some space: nothing can be staged.")
    if free < FREE_ENOUGH_BYTES:
        return Check("data folder", Level.WARN, found, "Free some space soon.")
    return Check("data folder", Level.OK, found)


def token_file(folder: Path) -> Check:
    """Can only its owner read the admin's token?"""
    path = folder / ADMIN_TOKEN_FILE
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError as error:
        return Check("admin token", Level.OK, f"{path}: {error.strerror}; it is made at the first start")
    if mode & 0o077:
        return Check("admin token", Level.FAIL, f"{path} has mode {mode:04o}: others can read it", f"chmod 600 {path}")
    return Check("admin token", Level.OK, f"{path}, mode {mode:04o}")


def output_roots(roots: tuple[Path, ...]) -> Check:
    """Can frames be published where artists want them?"""
    bad = [(root, problem) for root in roots if (problem := unwritable(root))]
    if bad:
        told = "; ".join(f"{root}: {problem}" for root, problem in bad)
        return Check("output roots", Level.FAIL, told, "Make the folder writable, or correct server.output_roots.")
    if not roots:
        return Check("output roots", Level.OK, f"none set: {Path.home()} and the folder of each scene")
    return Check("output roots", Level.OK, ", ".join(map(str, roots)))


def clock(folder: Path, now: Callable[[], datetime]) -> Check:
    """Is the clock set, and does the data folder's disk agree with it?"""
    wall = now()
    if wall.year < YEAR_MIN:
        return Check("clock", Level.FAIL, f"it shows {wall:%Y-%m-%d}", "Set the clock; use NTP.")
    try:
        with tempfile.NamedTemporaryFile(dir=nearest(folder)) as file:
            skew_s = abs(os.fstat(file.fileno()).st_mtime - now().timestamp())
    except OSError as error:
        return Check(
            "clock", Level.WARN, f"cannot be compared with the disk's: {error.strerror}", "See the data folder."
        )
    if skew_s > CLOCK_SKEW_WARN_S:
        level = Level.FAIL if skew_s > CLOCK_SKEW_FAIL_S else Level.WARN
        hint = "Let this machine and the file server use the same NTP."
        return Check("clock", level, f"the data folder's disk is {skew_s:.0f} s off", hint)
    return Check("clock", Level.OK, f"{wall:%Y-%m-%d %H:%M:%S} UTC")


def address(settings: Settings) -> Check:
    """Is the address free, or does an Outfield answer there?"""
    host, port = settings.server.host, settings.server.port
    if port == 0:
        return Check("address", Level.OK, f"{host}, any free port")
    there = "127.0.0.1" if host in ("0.0.0.0", "::") else host  # noqa: S104 - where the farm listens, not what we open
    try:
        socket.create_connection((there, port), timeout=CONNECT_TIMEOUT_S).close()
    except OSError:
        return Check("address", Level.OK, f"{host}:{port} is free")
    name = f"[{there}]" if ":" in there else there
    answer = scheduler_at(Connection(f"http://{name}:{port}"))
    if answer.level is Level.OK:
        return Check("address", Level.OK, f"a scheduler serves at {host}:{port}")
    hint = "Stop it, or choose another --port (0 takes a free one)."
    return Check("address", Level.FAIL, f"something else listens on {host}:{port}", hint)


def scheduler_at(connection: Connection) -> Check:
    """Does the scheduler answer, and does it take the token?"""
    from scheduler.cli.client import Client

    client = Client(connection)
    try:
        client.get("/healthz")
        if not connection.token:
            return Check("scheduler", Level.OK, f"{connection.server} is alive (no token given)")
        info = client.get("/info")
    except OutfieldError as error:
        return Check("scheduler", Level.FAIL, error.message, error.hint)
    finally:
        client.close()
    if info["version"] != __version__:
        found = f"{connection.server} runs Outfield {info['version']}, this is {__version__}"
        return Check("scheduler", Level.WARN, found, "Install the same release on both.")
    return Check("scheduler", Level.OK, f"{connection.server}, Outfield {info['version']}, takes the token")


def renderers() -> list[Check]:
    """Which renderers would a worker of this machine offer?"""
    from worker.runners.registry import RunnerRegistry

    registry = RunnerRegistry(("kernel", "blender", "maya"))
    try:
        found = {name: registry.get(name).versions() for name in registry.specs}
    finally:
        registry.close()
    kernel, blender = found["kernel"].get("versions"), found["blender"].get("versions")
    return [
        Check("kernel", Level.OK, f"Numba {found['kernel'].get('numba')}")
        if kernel
        else Check("kernel", Level.FAIL, "the kernels cannot be used", "pip install --force-reinstall outfield"),
        Check("Blender", Level.OK, ", ".join(blender))
        if blender
        else Check("Blender", Level.WARN, "none found", "Put blender on PATH to render .blend files here."),
        *(
            Check("Maya", Level.OK, f"{maya['version']} ({', '.join(maya['engines']) or 'no engine'}), {maya['path']}")
            for maya in found["maya"].get("mayas", ())
        ),
    ]


def compiled_kernels(cache: Path) -> Check:
    """Where Numba keeps what it has compiled."""
    problem = unwritable(nearest(cache))
    if problem:
        return Check("Numba cache", Level.FAIL, f"{cache}: {problem}", "Make it writable, or set NUMBA_CACHE_DIR.")
    count = sum(1 for _ in cache.rglob("*.nbc")) if cache.is_dir() else 0
    told = f"{count} compiled kernels" if count else "empty: the first job waits for the compiler"
    return Check("Numba cache", Level.OK, f"{cache}, {told}")


def nearest(folder: Path) -> Path:
    """The folder itself, or the closest one above it that exists."""
    return next((path for path in (folder, *folder.parents) if path.exists()), Path("/"))


def unwritable(folder: Path) -> str:
    """Why nothing can be written into a folder; empty when it can be. Tries it: permission bits do not tell all."""
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)
