"""A ShotGrid site that the real `shotgun_api3` client talks to over HTTP, with faults on request.

    with fake_shotgrid() as fake:
        alpha = fake.add("Project", name="Alpha")
        shot = fake.add("Shot", code="sh010", project=alpha)
        task = fake.add("Task", content="light", project=alpha, entity=shot, sg_priority_1="2_Tier")
        client = shotgun_api3.Shotgun(fake.url, script_name=fake.script_name, api_key=fake.api_key)
        fake.change(task, sg_priority_1="1_Tier")           # as a person on the web page: writes events
        fake.retire(shot); fake.revive(shot)
        fake.entity("Version", 12); fake.rows("Version")    # what is there now, whoever wrote it
        fake.calls("create"); fake.requests                 # what it was asked, without the key
        fake.site.uploads                                   # number -> Upload(kind, entity, field, name, data)
        fake.fail(503, times=2); fake.fail(429, headers={"Retry-After": "7"}); fake.garble(); fake.hang()
        fake.drop_answer(method="create")                   # it is done, but the answer is lost
        fake.down = True                                    # every connection is closed without a word
        fake.site.clock_skew_s = 3600                       # its `created_at` is an hour ahead

The wire format is the client's own (`tests/scheduler/priorities/test_wire.py` holds it to recorded requests), see
https://developers.shotgridsoftware.com/python-api/.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import fake_shotgrid_http as http
from fake_shotgrid_filters import Row
from fake_shotgrid_http import Fault, Seen
from fake_shotgrid_schema import field
from fake_shotgrid_site import Site, Upload

__all__ = ["FakeShotGrid", "Seen", "Upload", "fake_shotgrid", "field"]

GARBAGE = b"<html><body>Bad gateway: {not json"


class FakeShotGrid:
    """See the module's docstring."""

    script_name = "outfield"
    api_key = "k3y-that-must-stay-secret"

    def __init__(self, now: Callable[[], datetime] | None = None) -> None:
        self.site = Site(now or (lambda: datetime.now(UTC)))
        self.requests: list[Seen] = []
        self.faults: list[Fault] = []
        self.down = False
        self.released = threading.Event()
        self._server = http.serve(self)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        http.start(self._server)

    def close(self) -> None:
        """Stop serving, and let go of whoever hangs."""
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    # ---- What people do on the site ---------------------------------------------------------------------------------

    def add(self, kind: str, **fields: Any) -> Row:
        """A new entity; returns a link to it."""
        with self.site.lock:
            made = self.site.create({"type": kind, "fields": _listed(fields)})
            return self.site.link(kind, made["id"])

    def change(self, link: Row, **fields: Any) -> None:
        """New values for an entity."""
        with self.site.lock:
            self.site.update({"type": link["type"], "id": link["id"], "fields": _listed(fields)})

    def retire(self, link: Row) -> None:
        """Put an entity into the trash."""
        with self.site.lock:
            self.site.delete({"type": link["type"], "id": link["id"]})

    def revive(self, link: Row) -> None:
        """Take it out again."""
        with self.site.lock:
            self.site.revive({"type": link["type"], "id": link["id"]})

    # ---- What is there, and what was asked --------------------------------------------------------------------------

    def entity(self, kind: str, number: int) -> Row:
        """A copy of an entity, retired or not."""
        with self.site.lock:
            return dict(self.site.entities[kind, number])

    def rows(self, kind: str) -> list[Row]:
        """Copies of all entities of a kind that are not retired, oldest first."""
        with self.site.lock:
            return [dict(row) for (of, _), row in self.site.entities.items() if of == kind and not row["__retired"]]

    def calls(self, method: str) -> list[Any]:
        """The parameters of every call of a method, oldest first."""
        with self.site.lock:
            return [seen.params[0] if seen.params else None for seen in self.requests if seen.method == method]

    # ---- What goes wrong --------------------------------------------------------------------------------------------

    def fail(
        self, status: int, times: int = 1, *, method: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        """The next requests (of `method`) get this HTTP status."""
        self._fault(Fault("status", times, method, status, headers or {}))

    def garble(self, times: int = 1, *, method: str | None = None, body: bytes = GARBAGE) -> None:
        """The next requests get 200 and a body that is no JSON."""
        self._fault(Fault("garble", times, method, 200, {}, body))

    def hang(self, times: int = 1, *, method: str | None = None) -> None:
        """The next requests get no answer until `released` is set; then the connection is closed."""
        self._fault(Fault("hang", times, method))

    def hang_up(self, times: int = 1, *, method: str | None = None) -> None:
        """The next requests find their connection closed, and nothing done."""
        self._fault(Fault("hang_up", times, method))

    def drop_answer(self, times: int = 1, *, method: str | None = None) -> None:
        """The next requests are carried out, but their connection is closed before the answer."""
        self._fault(Fault("drop_answer", times, method))

    def heal(self) -> None:
        """Nothing goes wrong any more."""
        with self.site.lock:
            self.faults.clear()
            self.down = False
            self.released.set()
            self.released = threading.Event()

    def _fault(self, fault: Fault) -> None:
        with self.site.lock:
            self.faults.append(fault)


def _listed(fields: dict[str, Any]) -> list[Row]:
    return [{"field_name": name, "value": value} for name, value in fields.items()]


@contextmanager
def fake_shotgrid(now: Callable[[], datetime] | None = None) -> Iterator[FakeShotGrid]:
    """A site on a free port; `now` is its clock (default: the machine's)."""
    fake = FakeShotGrid(now)
    try:
        yield fake
    finally:
        fake.close()
