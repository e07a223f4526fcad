"""The store as the rest of the scheduler sees it: a writer, readers, blobs, and folders with a meaning."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import OperationalError
from sqlmodel import Session

from scheduler.errors import Unavailable
from scheduler.objects.opening import Storage, local_storage
from scheduler.store.active import ActiveLock
from scheduler.store.blobs import BlobStore
from scheduler.store.disk import database_lost, is_connection_lost
from scheduler.store.engine import database_url, open_engine, reading, wait_for_database
from scheduler.store.frames import FrameStore
from scheduler.store.gathering import Gathering
from scheduler.store.migrating import migrate
from scheduler.store.transaction import Transaction
from scheduler.store.writer import Writer

Result = TypeVar("Result")


class Folders:
    """Where things lie in the data folder."""

    def __init__(self, data: Path, storage: Path | None = None) -> None:
        """`storage` is the folder for blobs and frames, if it is another one."""
        self.data = data
        self.blobs = (storage or data) / "blobs"
        self.frames = (storage or data) / "frames"
        self.staging = data / "staging"
        self.logs = data / "logs"
        self.previews = data / "previews"

    def make(self) -> None:
        """Make them, for the farm's user alone."""
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        for folder in (self.blobs, self.frames, self.staging, self.logs, self.previews):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def attempt(self, task: int, attempt: int) -> Path:
        """Where an attempt's files are staged."""
        return self.staging / str(task) / str(attempt)

    def log(self, job: int, task: int, attempt: int) -> Path:
        """The log of one attempt."""
        return self.logs / f"{job:05d}" / f"{task}.{attempt}.log"


class Store:
    """Truth on disk. Open it once per process; close it last."""

    def __init__(
        self, data: Path, database: str | None = None, storage: Storage | None = None, *, database_wait_s: float = 0.0
    ) -> None:
        """Take the active scheduler's lock, migrate, open. Without `storage`, files are kept in the data folder.

        `database_wait_s`: how long a database server may take to answer at all.

        Raises:
            Unavailable: another scheduler is active on this database, or it or the disk cannot be used.
        """
        self.storage = storage if storage is not None else local_storage(data)
        self.folders = Folders(data, self.storage.root)
        try:
            self.folders.make()
        except OSError as error:
            raise Unavailable(
                f"The data folder {data} cannot be used: {error.strerror}.", code="data_folder"
            ) from error
        url = database_url(database, data)
        self._write_engine = open_engine(url)
        wait_for_database(self._write_engine, database_wait_s)
        self._lock = ActiveLock(self._write_engine, data)
        if not self._lock.acquire():
            self._write_engine.dispose()
            raise Unavailable(
                f"Another scheduler is already active on {data if database is None else 'this database'}.",
                code="already_active",
                hint="Stop it first, or start this one with another --data folder and database.",
            )
        migrate(self._write_engine, data)
        self._read_engine = open_engine(url, read_only=True)
        self.writer = Writer(self._write_engine, self._lock.connection)
        self._gathering = Gathering(self.writer)
        self.blobs = BlobStore(self.storage, self.folders.blobs / ".incoming")
        self.frames = FrameStore(self.storage)

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._write_engine.dialect.name

    def write(self, change: Callable[[Transaction], Result]) -> Result:
        """Run a change and wait for its commit."""
        return self.writer.write(change)

    async def awrite(self, change: Callable[[Transaction], Result]) -> Result:
        """Run a change and await its commit."""
        return await self.writer.submit_async(change)

    async def aquick(self, caller: str, change: Callable[[Transaction], Result]) -> Result:
        """Run a change of a few prepared statements; at once, if nobody else is writing or about to."""
        return await self._gathering.submit(caller, change)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for reading one consistent snapshot.

        Raises:
            Unavailable: the database server has gone away.
        """
        try:
            with reading(self._read_engine) as session:
                yield session
        except OperationalError as error:
            if is_connection_lost(error):
                raise database_lost() from error
            raise

    def free_bytes(self) -> int:
        """Free space where the data lies."""
        return shutil.disk_usage(self.folders.data).free

    def close(self) -> None:
        """Finish what is being written and let go of everything."""
        self.writer.close()
        self._read_engine.dispose()
        self._lock.release()
        self._write_engine.dispose()
