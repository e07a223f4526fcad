"""A throwaway PostgreSQL cluster for tests: a socket in a short folder, no TCP port, thrown away at the end.

PostgreSQL refuses to run as root, so as root the server runs as `postgres` or `nobody`.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import threading
import uuid
from pathlib import Path

import psycopg
from components import require

START_TRIES = 200
START_PAUSE_S = 0.05


class Cluster:
    """One server. `url()` makes a new, empty database on it."""

    def __init__(self) -> None:
        self._bin = require("postgresql")
        # Socket names are limited to 107 bytes, and the server's user must be able to reach the folder.
        self._base = Path(tempfile.mkdtemp(prefix="ofpg", dir="/tmp"))
        self._user = _server_user()
        if self._user is not None:
            os.chown(self._base, pwd.getpwnam(self._user).pw_uid, -1)
        self._run(
            "initdb", "-D", str(self._base / "d"), "-U", "farm", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8", "--no-sync", "--no-instructions",
        )  # fmt: skip
        self._log = (self._base / "log").open("wb")
        self.start()

    def start(self) -> None:
        """Start the server, with what it had."""
        arguments = ["-D", self._base / "d", "-k", self._base, "-h", "", "-F", "-c", "max_connections=60"]
        self._server = subprocess.Popen(
            [self._bin / "postgres", *map(str, arguments)],
            stdout=self._log,
            stderr=subprocess.STDOUT,
            cwd="/",
            **self._as(),
        )
        self._wait()

    def crash(self) -> None:
        """End the server without a word to anyone; what was committed is there at the next start."""
        self._server.send_signal(signal.SIGQUIT)
        self._server.wait(30)

    def cut(self, url: str) -> int:
        """End every connection to a database, as an administrator may; returns how many there were."""
        name = url.partition("@/")[2].partition("?")[0]
        with self._admin() as connection:
            ended = connection.execute(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            return ended.fetchone()[0]

    def url(self) -> str:
        """A new database, as SQLAlchemy writes it."""
        name = f"t{uuid.uuid4().hex[:12]}"
        with self._admin() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://farm@/{name}?host={self._base}"

    def stop(self) -> None:
        """End the server at once and remove everything."""
        self.crash()
        self._log.close()
        shutil.rmtree(self._base, ignore_errors=True)

    def _admin(self) -> psycopg.Connection:
        return psycopg.connect(f"host={self._base} user=farm dbname=postgres", autocommit=True)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run([self._bin / program, *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/", **self._as())

    def _as(self) -> dict[str, object]:
        if self._user is None:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}

    def _wait(self) -> None:
        pause = threading.Event()
        for _try in range(START_TRIES):
            try:
                self._admin().close()
            except psycopg.OperationalError:
                pause.wait(START_PAUSE_S)
            else:
                return
        raise RuntimeError((self._base / "log").read_text())


def _server_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)
