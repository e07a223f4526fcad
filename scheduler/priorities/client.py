"""The connection to ShotGrid: the real `shotgun_api3` client, tamed. One `Site` belongs to one thread.

The client is not thread-safe, waits forever unless told otherwise, repeats a request whose answer was lost (also one
that creates something), logs the key at level DEBUG, and lets every kind of error through. Here it gets time-outs,
repeats nothing that creates, stays silent, and fails with `Trouble` alone.
"""

from __future__ import annotations

import logging
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from scheduler.priorities.troubles import Changed, Denied, Unreachable, explain, garbled
from scheduler.settings import ShotGridSettings

if TYPE_CHECKING:
    from shotgun_api3.shotgun import Shotgun

Result = TypeVar("Result")
Record = dict[str, Any]

UPLOAD_MIN_BYTES_PER_S = 64 * 1024
"""Slowest line on which an upload is still waited for."""


def read_key(settings: ShotGridSettings) -> str:
    """The script's key, from the settings or from its file.

    Raises:
        Denied: there is none.
    """
    if settings.api_key is not None and settings.api_key.get_secret_value():
        return settings.api_key.get_secret_value()
    if settings.api_key_file is None:
        raise Denied("No key is set for the tracker.")
    try:
        key = settings.api_key_file.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise Denied(f"The key file {settings.api_key_file} cannot be read: {reason}.") from error
    if not key:
        raise Denied(f"The key file {settings.api_key_file} is empty.")
    return key


class Site:
    """One connection to one site, made when it is first used; `close` ends it, and the next call makes a new one.

    Every method raises `Trouble` and nothing else.
    """

    def __init__(self, settings: ShotGridSettings) -> None:
        self._settings = settings
        self._client: Shotgun | None = None
        self._key = ""

    @property
    def url(self) -> str:
        """The site's address."""
        return self._settings.url or ""

    def info(self) -> Record:
        """What the site says of itself; needs no key."""
        return self._shaped("info", self._call(lambda client: client.info()), dict)

    def find(
        self,
        kind: str,
        filters: Sequence[Any],
        fields: Sequence[str],
        *,
        order: Sequence[Record] = (),
        limit: int = 0,
        archived: bool = True,
    ) -> list[Record]:
        """The entities that pass the filters, each with `type`, `id` and the fields; times as the wire has them."""
        found = self._call(
            lambda client: client.find(
                kind,
                list(filters),
                list(fields),
                order=cast("list[Any]", [dict(sort) for sort in order]),
                limit=limit,
                include_archived_projects=archived,
            )
        )
        records = self._shaped(f"a question for {kind}", found, list)
        if not all(isinstance(r, dict) and isinstance(r.get("id"), int) and r.get("type") == kind for r in records):
            raise garbled(f"a question for {kind}")
        return [cast("Record", _plain(record)) for record in records]

    def fields(self, kind: str) -> Record:
        """The schema of a kind: field name to description.

        Raises:
            Changed: the site has no such kind.
        """
        found = self._shaped(f"the schema of {kind}", self._call(lambda client: client.schema_field_read(kind)), dict)
        if "id" not in found:  # every kind has it; an empty schema would make every entity look deleted
            raise garbled(f"the schema of {kind}")
        return found

    def field(self, kind: str, name: str) -> Record | None:
        """The description of one field; None where the site has none of this name."""
        try:
            found = self._call(lambda client: client.schema_field_read(kind, name))
        except Changed:
            return None
        described = self._shaped(f"the schema of {kind}.{name}", found, dict).get(name)
        return cast("Record", described) if isinstance(described, dict) else None

    def create(self, kind: str, data: Mapping[str, Any], fields: Sequence[str] = ()) -> Record:
        """A new entity. Sent once: whether a call whose answer was lost has succeeded, the caller has to find out."""
        self.close()  # a connection that the site has closed meanwhile would fail before anything is sent
        made = self._call(lambda client: client.create(kind, dict(data), list(fields) or None), once=True)
        return self._shaped(f"the new {kind}", made, dict)

    def update(self, kind: str, number: int, data: Mapping[str, Any]) -> Record:
        """New values for fields of an entity; doing it twice is doing it once."""
        return self._shaped(f"the change of {kind}", self._call(lambda c: c.update(kind, number, dict(data))), dict)

    def upload(self, kind: str, number: int, path: Path, field: str) -> int:
        """Send a file into a field (`image` for the thumbnail); returns the number of its Attachment."""

        def send(client: Shotgun) -> int:
            # A body is sent as one piece, and has to be gone before the socket's time-out is over.
            _time_uploads(client, self._settings.timeout_s + path.stat().st_size / UPLOAD_MIN_BYTES_PER_S)
            return client.upload(kind, number, str(path), field)

        return self._shaped("an upload", self._call(send), int)

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.close()

    def _call(self, function: Callable[[Shotgun], Result], *, once: bool = False) -> Result:
        client = self._connected()
        try:
            if once:
                with _SentOnce(client):
                    return function(client)
            return function(client)
        except Exception as error:  # noqa: BLE001  the client lets through whatever a broken answer leads to
            self.close()
            raise explain(error, self._key) from None  # its own error may hold the request, and so the key

    def _connected(self) -> Shotgun:
        key = read_key(self._settings)
        if self._client is None or key != self._key:
            self._key, self._client = key, _client(self._settings, key)
        return self._client

    def _shaped(self, what: str, found: Any, shape: type[Result]) -> Result:
        if not isinstance(found, shape):
            raise garbled(what)
        return found


def _client(settings: ShotGridSettings, key: str) -> Shotgun:
    """The client, with time-outs for calls and for uploads, and times as they are on the wire."""
    from shotgun_api3.shotgun import Shotgun

    logging.getLogger("shotgun_api3").setLevel(logging.INFO)  # at DEBUG it logs whole requests, with the key
    address = urllib.parse.urlsplit(settings.url or "")
    if address.scheme not in ("http", "https") or not address.hostname:
        raise Unreachable(f"shotgrid.url is {settings.url!r}; it must begin with https:// and name the site.")
    client = Shotgun(
        settings.url or "",
        script_name=settings.script_name,
        api_key=key,
        connect=False,
        convert_datetimes_to_utc=False,
    )
    client.config.timeout_secs = settings.timeout_s
    return client


def _time_uploads(client: Any, timeout_s: float) -> None:
    """Uploads go through urllib, which has no time-out of its own here."""
    build = type(client)._build_opener  # noqa: SLF001  there is no other way in

    def timed(handler: Any) -> Any:
        opener = build(client, handler)
        opener.open = partial(opener.open, timeout=timeout_s)
        return opener

    client._build_opener = timed  # noqa: SLF001


class _SentOnce:
    """While it lasts, the client's HTTP library sends a request once, whatever becomes of the answer.

    It would repeat a request whose connection was closed without an answer. For a question that is harmless; a `create`
    would be carried out twice. An error of the socket it lets through, so the closed connection is made to be one.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._http = client._get_connection()  # noqa: SLF001

    def __enter__(self) -> None:
        self._client.MAX_ATTEMPTS = 1  # after a 502 or 504 it would send again what a proxy may have let through
        send = self._http._conn_request  # noqa: SLF001

        def once(connection: Any, *request: Any) -> Any:
            answer = connection.getresponse

            def getresponse(*arguments: Any, **named: Any) -> Any:
                import http.client

                try:
                    return answer(*arguments, **named)
                except (http.client.BadStatusLine, http.client.ResponseNotReady) as error:
                    raise ConnectionResetError("the connection was closed before the answer") from error

            connection.getresponse = getresponse
            return send(connection, *request)

        self._http._conn_request = once  # noqa: SLF001

    def __exit__(self, *_: object) -> None:
        del self._client.MAX_ATTEMPTS
        del self._http._conn_request  # noqa: SLF001


def _plain(value: Any) -> Any:
    """Times back into the text that the wire had, so that answers can be kept as JSON."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in cast("Record", value).items()}
    if isinstance(value, list):
        return [_plain(item) for item in cast("list[Any]", value)]
    return value
