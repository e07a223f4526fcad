"""From the URL in `server.storage` to a store that was tried out.

    file:///mnt/farm                                            a folder
    s3://bucket/prefix?endpoint_url=http://host:9000&region=…   S3 and what speaks like it
    gs://bucket/prefix?endpoint=https://…                       Google Cloud Storage

Credentials never stand in the URL: each cloud's own library finds them (environment, files, metadata service).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

from scheduler.errors import Refused, Unavailable
from scheduler.objects.copies import FetchedCopies
from scheduler.objects.local import LocalObjects
from scheduler.objects.port import Copies, ObjectStore, Transfer, checked, denied
from scheduler.objects.sealing import SealedObjects, farm_key, prove_key
from scheduler.objects.trial import prove
from scheduler.settings.storage import StorageSettings

OPTIONS = {"file": frozenset[str](), "s3": frozenset({"endpoint_url", "region"}), "gs": frozenset({"endpoint"})}
"""What may stand behind the question mark, by scheme."""


@dataclass(frozen=True)
class Storage:
    """Where blobs and frames are. `root` is the folder that they are in; None: in an object store."""

    objects: ObjectStore
    copies: Copies
    root: Path | None
    sealed: SealedObjects | None = None
    """The same as `objects` where files are sealed: it knows the keys that workers are handed."""

    def seal_of(self, key: str) -> str:
        """The key (hex) that opens an object fetched by a signed URL, or seals one to be put; empty: none is used."""
        return self.sealed.key_of(key).hex() if self.sealed is not None else ""

    @property
    def remote(self) -> bool:
        """Whether it is an object store beyond this machine's file systems."""
        return self.root is None


@dataclass(frozen=True)
class Address:
    """A storage URL, taken apart. `place` is the bucket, or the folder of a file URL."""

    scheme: str
    place: str
    prefix: str
    options: dict[str, str]


def local_storage(root: Path) -> Storage:
    """A folder of this machine: what a farm has that names no storage."""
    objects = LocalObjects(root)
    return Storage(objects, objects, root)


def open_storage(url: str | None, settings: StorageSettings, data: Path) -> Storage:
    """The storage that a farm with the data folder `data` uses. Blocking: an object store is tried out first.

    Raises:
        Refused: the URL is wrong. Unavailable: `storage_…`: it cannot be used, or is not safe to use.
    """
    if url is None:
        return local_storage(data)
    address = parse_address(url)
    trials = data / "trials"
    if address.scheme == "file":
        storage = local_storage(Path(address.place))
        try:
            prove(storage.objects, trials, way="as a file")
        except OSError as error:
            raise Unavailable(
                f"The folder {address.place} cannot be used as storage: {error.strerror}.", code="storage_unusable"
            ) from error
        return storage
    transfer = Transfer(settings.part_bytes, settings.single_max_bytes, settings.parallel)
    make = _remote(address, transfer)
    prove(make(transfer), trials, way="in one piece")
    prove(make(replace(transfer, single_max_bytes=0, look_first=False)), trials, way="in parts")
    objects, sealed = make(transfer), None
    if settings.seal:
        objects = sealed = SealedObjects(objects, farm_key(data), data / "sealing")
        prove_key(sealed, trials)
    return Storage(objects, FetchedCopies(objects, data / "copies", settings.copies_max_bytes), None, sealed)


def parse_address(url: str) -> Address:
    """Take a storage URL apart. Pure.

    Raises:
        Refused: `storage_url`.
    """
    parts = urlsplit(url)
    known = OPTIONS.get(parts.scheme)
    if known is None:
        raise _wrong(
            f"{parts.scheme or url[:60]!r} is no kind of storage", "Write file:///PATH, s3://BUCKET or gs://BUCKET."
        )
    if parts.username or parts.password:
        raise _wrong("credentials do not belong in the URL", "Put them where the cloud's own tools look for them.")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if strange := sorted(set(options) - known):
        raise _wrong(
            f"it has no option {strange[0]!r}", f"Options of {parts.scheme}: {', '.join(sorted(known)) or 'none'}."
        )
    if parts.scheme == "file":
        if parts.netloc not in {"", "localhost"} or not parts.path.strip("/"):
            raise _wrong("a file URL names an absolute path", "Write it with three slashes: file:///mnt/farm.")
        return Address("file", unquote(parts.path), "", options)
    prefix = unquote(parts.path).strip("/")
    try:
        checked(f"{parts.netloc}/{prefix}" if prefix else parts.netloc)
    except ValueError as error:
        raise _wrong("bucket and prefix are letters, digits, . _ and -", "For example s3://studio/outfield.") from error
    return Address(parts.scheme, parts.netloc, prefix, options)


def _remote(address: Address, transfer: Transfer) -> Callable[[Transfer], ObjectStore]:
    """Makes the store for a way of transferring; the cloud's library is loaded here and not before.

    Raises:
        Unavailable: `storage_denied`: there are no credentials.
    """
    bucket, prefix, options = address.place, address.prefix, address.options
    if address.scheme == "s3":
        from scheduler.objects import s3

        connected = s3.make_client(options.get("endpoint_url"), options.get("region"), transfer, bucket=bucket)
        return lambda how: s3.S3Objects(connected, bucket, prefix, how)
    from google.auth.exceptions import DefaultCredentialsError

    from scheduler.objects import gcs

    try:
        client, signing = gcs.make_client(options.get("endpoint"))
    except DefaultCredentialsError as error:
        raise denied(f"gs://{bucket}", "no credentials were found") from error
    return lambda how: gcs.GcsObjects(client, bucket, prefix, how, signing=signing)


def _wrong(what: str, hint: str) -> Refused:
    return Refused(f"The storage URL cannot be used: {what}.", code="storage_url", hint=hint)
