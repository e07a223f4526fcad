"""`backup`, `restore`, `db upgrade`: the farm's memory, on the machine where its data folder is."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.hashing import file_hash
from scheduler.cli.session import Cli
from scheduler.errors import Conflict, Refused

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from scheduler.settings import Settings

DATABASE_FILE = "outfield.sqlite"
BEFORE_RESTORE = "outfield.before-restore.sqlite"
BLOBS_FOLDER = "blobs"
BLOB_NAME = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{64}")
DATABASE_ENDINGS = frozenset({".sqlite", ".sqlite3", ".db"})
"""A backup with one of these endings is the database alone; any other is a zip with the blobs."""


@dataclass(frozen=True)
class Place:
    """Where a backup is put: a database that no scheduler uses, its data folder, a folder for what is unpacked."""

    engine: Engine
    data: Path
    scratch: Path

    def put(self, source: Path) -> None:
        """Verify a backup, keep what was there, put it in its place."""
        from scheduler.store.backup import restore_sqlite, verify_sqlite
        from scheduler.store.copying import backup_database, has_jobs, restore_rows
        from scheduler.store.engine import sqlite_path

        verify_sqlite(source)
        database = sqlite_path(self.engine)
        if database is None:
            if has_jobs(self.engine):
                backup_database(self.engine, self.data / BEFORE_RESTORE)
            restore_rows(source, self.engine, self.scratch)
            return
        if database.is_file() and database.stat().st_size > 0:
            shutil.copy2(database, database.with_name(BEFORE_RESTORE))
        restore_sqlite(source, database)


ConfigOption = Annotated[Path | None, typer.Option(metavar="FILE", help="outfield.toml to read, and no other")]
DataOption = Annotated[Path | None, typer.Option(metavar="DIR", help="the farm's data folder")]
DatabaseOption = Annotated[
    str | None, typer.Option(metavar="URL", help="database; SQLite in the data folder if not set")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="zip, or .sqlite for the database alone")]


def backup(
    cli: Cli, file: FileArgument, config: ConfigOption = None, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Write a copy of the database and the uploaded scenes while the farm runs.

    A FILE that ends in .sqlite gets the database alone. The copy of a PostgreSQL database is a SQLite file too.
    """
    from scheduler.store.copying import backup_database

    settings = _settings(config, data, database)
    target = file.expanduser().absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    with _opened(settings) as engine:
        if target.suffix.lower() in DATABASE_ENDINGS:
            backup_database(engine, target)
            return _done(cli, target)
        blobs = _blobs_folder(settings)
        if blobs is None:
            cli.output.warn(
                f"Blobs and frames are in {settings.server.storage}; this backup holds the database alone. "
                "Let the store keep versions of its own."
            )
        _write_zip(engine, blobs, target)
    return _done(cli, target)


def restore(
    cli: Cli, file: FileArgument, config: ConfigOption = None, data: DataOption = None, database: DatabaseOption = None
) -> None:
    """Put a backup in the place of a farm that is stopped.

    The former database stays in the data folder as `outfield.before-restore.sqlite`. A farm moves to another database
    by a backup that is restored there.
    """
    from scheduler.store.engine import shown, sqlite_path

    settings = _settings(config, data, database)
    source, folder = file.expanduser().absolute(), settings.server.data
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=folder, prefix=".restore-") as name, _stopped(settings) as engine:
        place = Place(engine, folder, Path(name))
        if zipfile.is_zipfile(source):
            _read_zip(source, place, _blobs_folder(settings) or folder / BLOBS_FOLDER)
        else:
            place.put(source)
    if (path := sqlite_path(engine)) is not None:
        return _done(cli, path)
    if cli.output.as_json:
        return cli.output.data({"database": shown(engine)})
    return cli.output.line(shown(engine))


def upgrade(cli: Cli, config: ConfigOption = None, data: DataOption = None, database: DatabaseOption = None) -> None:
    """Bring the database of an older release up to date.

    A copy of it is kept. A scheduler does the same by itself when it starts.
    """
    from scheduler.store.migrating import migrate

    settings = _settings(config, data, database)
    settings.server.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _stopped(settings) as engine:
        changed = migrate(engine, settings.server.data)
    if cli.output.as_json:
        return cli.output.data({"upgraded": changed})
    cli.output.line("The database is up to date now." if changed else "The database was up to date already.")
    return None


def _settings(config: Path | None, data: Path | None, database: str | None = None) -> Settings:
    from scheduler.settings import load_settings

    folder = data.expanduser().absolute() if data else None
    return load_settings(file=config, flags={"server.data": folder, "server.database": database}).settings


def _blobs_folder(settings: Settings) -> Path | None:
    """Where the farm's blobs lie on this machine; None: in an object store.

    Raises:
        Refused: the storage URL is wrong.
    """
    from scheduler.objects.opening import parse_address

    if settings.server.storage is None:
        return settings.server.data / BLOBS_FOLDER
    address = parse_address(settings.server.storage)
    return Path(address.place) / BLOBS_FOLDER if address.scheme == "file" else None


@contextmanager
def _opened(settings: Settings) -> Iterator[Engine]:
    """The farm's database, beside a scheduler that may use it.

    Raises:
        Refused: there is none. Unavailable: its server does not answer.
    """
    from scheduler.store.engine import database_url, open_engine, sqlite_path, wait_for_database

    engine = open_engine(database_url(settings.server.database, settings.server.data))
    try:
        path = sqlite_path(engine)
        if path is not None and not path.is_file():
            raise Refused(
                f"There is no farm in {settings.server.data}.", code="no_farm", hint="Name its folder: --data DIR"
            )
        wait_for_database(engine, 0.0)
        yield engine
    finally:
        engine.dispose()


@contextmanager
def _stopped(settings: Settings) -> Iterator[Engine]:
    """Hold the lock of the active scheduler, so that none can start meanwhile.

    Raises:
        Conflict: one is running.
    """
    from scheduler.store.active import ActiveLock
    from scheduler.store.engine import database_url, open_engine, wait_for_database

    engine = open_engine(database_url(settings.server.database, settings.server.data))
    lock = ActiveLock(engine, settings.server.data)
    try:
        wait_for_database(engine, 0.0)
        if not lock.acquire():
            raise Conflict(
                f"A scheduler is running on {settings.server.data}.",
                code="already_active",
                hint="Stop it first, then try again.",
            )
        yield engine
    finally:
        lock.release()
        engine.dispose()


def _write_zip(engine: Engine, blobs: Path | None, target: Path) -> None:
    """The database first: a blob that comes later is in no row of it, one that a row names is never removed so soon."""
    from scheduler.store.blobs import is_hash
    from scheduler.store.copying import backup_database

    part = target.with_name(f".{target.name}.part")
    with TemporaryDirectory(dir=target.parent, prefix=".backup-") as scratch:
        copy = Path(scratch) / DATABASE_FILE
        backup_database(engine, copy)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.write(copy, DATABASE_FILE)
            if blobs is not None and blobs.is_dir():
                for path in sorted(blobs.rglob("*")):
                    if is_hash(path.name) and path.is_file():
                        archive.write(path, f"{BLOBS_FOLDER}/{path.relative_to(blobs).as_posix()}")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)


def _read_zip(source: Path, place: Place, blobs: Path) -> None:
    """Unpack beside the target, verify all of it, then put it in place: blobs first, so that no row lacks its blob."""
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        if DATABASE_FILE not in names or not all(name == DATABASE_FILE or BLOB_NAME.fullmatch(name) for name in names):
            raise _damaged(source)
        archive.extractall(place.scratch)  # no name leaves the folder: they were checked
    unpacked = [place.scratch / name for name in names if name != DATABASE_FILE]
    if any(file_hash(path) != path.name for path in unpacked):
        raise _damaged(source)
    for path in unpacked:
        target = blobs / path.parent.name / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(path, target)
    place.put(place.scratch / DATABASE_FILE)


def _damaged(source: Path) -> Refused:
    return Refused(f"{source} is no whole backup of Outfield.", code="backup_damaged", hint="Use an older backup.")


def _done(cli: Cli, path: Path) -> None:
    if cli.output.as_json:
        return cli.output.data({"path": str(path), "bytes": path.stat().st_size})
    cli.output.line(str(path))
    return None
