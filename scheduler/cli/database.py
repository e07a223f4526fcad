"""`backup`, `restore`, `db upgrade`: the farm's memory, on the machine where its data folder is."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
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
BLOBS_FOLDER = "blobs"
BLOB_NAME = re.compile(r"blobs/[0-9a-f]{2}/[0-9a-f]{64}")
DATABASE_ENDINGS = frozenset({".sqlite", ".sqlite3", ".db"})
"""A backup with one of these endings is the database alone; any other is a zip with the blobs."""

ConfigOption = Annotated[Path | None, typer.Option(metavar="FILE", help="outfield.toml to read, and no other")]
DataOption = Annotated[Path | None, typer.Option(metavar="DIR", help="the farm's data folder")]
DatabaseOption = Annotated[
    str | None, typer.Option(metavar="URL", help="database; SQLite in the data folder if not set")
]
FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="zip, or .sqlite for the database alone")]


def backup(cli: Cli, file: FileArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Write a copy of the database and the uploaded scenes while the farm runs.

    A FILE that ends in .sqlite gets the database alone.
    """
    from scheduler.store.backup import backup_sqlite

    settings = _settings(config, data)
    database = _database_file(settings)
    if not database.is_file():
        raise Refused(
            f"There is no farm in {settings.server.data}.", code="no_farm", hint="Name its folder: --data DIR"
        )
    target = file.expanduser().absolute()
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix.lower() in DATABASE_ENDINGS:
        backup_sqlite(database, target)
    else:
        blobs = _blobs_folder(settings)
        if blobs is None:
            cli.output.warn(
                f"Blobs and frames are in {settings.server.storage}; this backup holds the database alone. "
                "Let the store keep versions of its own."
            )
        _write_zip(database, blobs, target)
    _done(cli, target)


def restore(cli: Cli, file: FileArgument, config: ConfigOption = None, data: DataOption = None) -> None:
    """Put a backup in the place of a farm that is stopped.

    The former database stays beside it as `outfield.before-restore.sqlite`.
    """
    settings = _settings(config, data)
    source, folder, database = file.expanduser().absolute(), settings.server.data, _database_file(settings)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with TemporaryDirectory(dir=folder, prefix=".restore-") as scratch, _stopped(settings):
        if zipfile.is_zipfile(source):
            _read_zip(source, Path(scratch), database, _blobs_folder(settings) or folder / BLOBS_FOLDER)
        else:
            _put(source, database)
    _done(cli, database)


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


def _database_file(settings: Settings) -> Path:
    """The SQLite file of a farm.

    Raises:
        Refused: its database is a server, which has tools of its own for this.
    """
    from sqlalchemy.engine import make_url

    from scheduler.store.engine import database_url

    url = make_url(database_url(settings.server.database, settings.server.data))
    if url.get_backend_name() != "sqlite" or not url.database:
        raise Refused(
            "This farm's database is a server.",
            code="backup_elsewhere",
            hint="Use the server's own tools, e.g. pg_dump.",
        )
    return Path(url.database)


@contextmanager
def _stopped(settings: Settings) -> Iterator[Engine]:
    """Hold the lock of the active scheduler, so that none can start meanwhile.

    Raises:
        Conflict: one is running.
    """
    from scheduler.store.engine import ActiveLock, database_url, open_engine

    engine = open_engine(database_url(settings.server.database, settings.server.data))
    lock = ActiveLock(engine, settings.server.data)
    try:
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


def _write_zip(database: Path, blobs: Path | None, target: Path) -> None:
    """The database first: a blob that comes later is in no row of it, one that a row names is never removed so soon."""
    from scheduler.store.backup import backup_sqlite
    from scheduler.store.blobs import is_hash

    part = target.with_name(f".{target.name}.part")
    with TemporaryDirectory(dir=target.parent, prefix=".backup-") as scratch:
        copy = Path(scratch) / DATABASE_FILE
        backup_sqlite(database, copy)
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
            archive.write(copy, DATABASE_FILE)
            if blobs is not None and blobs.is_dir():
                for path in sorted(blobs.rglob("*")):
                    if is_hash(path.name) and path.is_file():
                        archive.write(path, f"{BLOBS_FOLDER}/{path.relative_to(blobs).as_posix()}")
    with part.open("rb") as file:
        os.fsync(file.fileno())
    os.replace(part, target)


def _read_zip(source: Path, scratch: Path, database: Path, blobs: Path) -> None:
    """Unpack beside the target, verify all of it, then put it in place: blobs first, so that no row lacks its blob."""
    with zipfile.ZipFile(source) as archive:
        names = archive.namelist()
        if DATABASE_FILE not in names or not all(name == DATABASE_FILE or BLOB_NAME.fullmatch(name) for name in names):
            raise _damaged(source)
        archive.extractall(scratch)  # no name leaves the folder: they were checked
    unpacked = [scratch / name for name in names if name != DATABASE_FILE]
    if any(file_hash(path) != path.name for path in unpacked):
        raise _damaged(source)
    for path in unpacked:
        target = blobs / path.parent.name / path.name
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.replace(path, target)
    _put(scratch / DATABASE_FILE, database)


def _damaged(source: Path) -> Refused:
    return Refused(f"{source} is no whole backup of Outfield.", code="backup_damaged", hint="Use an older backup.")


def _put(source: Path, database: Path) -> None:
    from scheduler.store.backup import restore_sqlite, verify_sqlite

    verify_sqlite(source)
    if database.is_file() and database.stat().st_size > 0:
        shutil.copy2(database, database.with_name(f"{database.stem}.before-restore{database.suffix}"))
    restore_sqlite(source, database)


def _done(cli: Cli, path: Path) -> None:
    if cli.output.as_json:
        return cli.output.data({"path": str(path), "bytes": path.stat().st_size})
    cli.output.line(str(path))
    return None
