"""The HTTP of the fake Compute Engine: the routes that the farm calls, pages, and the faults that a test asks for."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from fake_gce_filters import passes
from fake_gce_project import SHAPES, Body, Project, Wrong

if TYPE_CHECKING:
    from fake_gce import FakeGce

ROUTES = {
    "bulk_insert": r"POST /zones/(?P<zone>[\w-]+)/instances/bulkInsert",
    "delete": r"DELETE /zones/(?P<zone>[\w-]+)/instances/(?P<name>[\w-]+)",
    "list": r"GET /aggregated/instances",
    "operation": r"GET /zones/(?P<zone>[\w-]+)/operations/(?P<name>[\w-]+)",
    "operations": r"GET /zones/(?P<zone>[\w-]+)/operations",
    "machine_type": r"GET /zones/(?P<zone>[\w-]+)/machineTypes/(?P<name>[\w-]+)",
    "template": r"GET /global/instanceTemplates/(?P<name>[\w-]+)",
}
ANY = "*"
"""In the place of a route: whatever comes."""
Query = dict[str, str]


@dataclass
class Seen:
    """One request."""

    call: str
    method: str
    path: str
    query: Query
    body: Any
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Fault:
    """What shall go wrong with the next `times` calls of a route."""

    call: str
    times: int
    status: int = 0
    reason: str = ""
    after: bool = False
    """Whether what was asked is done, and only the answer lost, or late by `pause_s`."""
    pause_s: float = 0.0
    skip: int = 0
    """Calls that are let through first."""


def serve(fake: FakeGce) -> ThreadingHTTPServer:
    """A server on a free port, one thread per connection."""
    server = _Server(("127.0.0.1", 0), type("Handler", (_Handler,), {"fake": fake}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    return server


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """A client that gives up mid-request is what these tests are about."""


class _Handler(BaseHTTPRequestHandler):
    fake: FakeGce

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        path = parts.path.removeprefix(f"/compute/v1/projects/{self.fake.project.name}")
        call, names = _route(f"{self.command} {path}")
        query = dict(parse_qsl(parts.query))
        page = {"pageMax": str(min(self.fake.page_max, int(query.get("maxResults", self.fake.page_max))))}
        content = json.loads(body) if body else None
        seen = Seen(call, self.command, parts.path, query, content, dict(self.headers.items()))
        with self.fake.project.lock:
            fault = self._noted(seen)
            if fault is not None and not fault.after:
                return self._hang_up() if not fault.status else self._send(*_refused(fault.status, fault.reason))
            status, answer = _answered(self.fake.project, replace(seen, query=query | page), names)
        if fault is not None and fault.pause_s:
            self.fake.released.wait(fault.pause_s)
        elif fault is not None:
            return self._hang_up()
        return self._send(status, answer)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815

    def _noted(self, seen: Seen) -> Fault | None:
        self.fake.requests.append(seen)
        if self.fake.down:
            return Fault(seen.call, 1)
        for fault in self.fake.faults:
            if fault.times > 0 and fault.call in (ANY, seen.call):
                if fault.skip > 0:
                    fault.skip -= 1
                    continue
                fault.times -= 1
                return fault
        return None

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, answer: Body) -> None:
        raw = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=UTF-8")
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, *_: object) -> None:
        """Tests read `requests`, not a log."""


def _route(request: str) -> tuple[str, dict[str, str]]:
    for call, pattern in ROUTES.items():
        match = re.fullmatch(pattern, request)
        if match is not None:
            return call, match.groupdict()
    return request, {}


def _refused(status: int, reason: str, message: str = "No.") -> tuple[int, Body]:
    told = {"message": message, "domain": "usageLimits", "reason": reason}
    return status, {"error": {"code": status, "message": message, "errors": [told]}}


def _answered(project: Project, seen: Seen, names: dict[str, str]) -> tuple[int, Body]:
    project.settle()
    try:
        return 200, _done(project, seen, names)
    except Wrong as wrong:
        return _refused(wrong.status, wrong.reason, wrong.message)


def _done(project: Project, seen: Seen, names: dict[str, str]) -> Body:
    zone, name, query = names.get("zone", ""), names.get("name", ""), seen.query
    match seen.call:
        case "bulk_insert":
            return project.show_operation(project.bulk_insert(zone, seen.body, query.get("requestId")))
        case "delete":
            return project.show_operation(project.delete(zone, name))
        case "list":
            return _by_zone(project, query)
        case "operation" if name in project.operations:
            return project.show_operation(project.operations[name])
        case "operations":
            found = [project.show_operation(o) for o in project.operations.values() if o.zone == zone]
            return _page([o for o in found if passes(o, query.get("filter", ""))][::-1], query)
        case "machine_type" if name in SHAPES:
            return _shape(name)
        case "template" if name in project.templates:
            return {"name": name, "properties": project.templates[name]}
        case _:
            raise Wrong(404, "notFound", f"The resource '{seen.path}' was not found")


def _page(found: list[Body], query: Query) -> Body:
    start, size = int(query.get("pageToken") or 0), int(query["pageMax"])
    page: Body = {"items": found[start : start + size]}
    return page | ({"nextPageToken": str(start + size)} if len(found) > start + size else {})


def _by_zone(project: Project, query: Query) -> Body:
    shown = [(machine.zone, project.show_machine(machine)) for machine in project.machines.values()]
    page = _page([{"zone": z, "told": m} for z, m in shown if passes(m, query.get("filter", ""))], query)
    items: dict[str, Body] = {"zones/empty-zone1-a": {"warning": {"code": "NO_RESULTS_ON_PAGE"}}}
    for entry in page.pop("items"):
        items.setdefault(f"zones/{entry['zone']}", {"instances": []})["instances"].append(entry["told"])
    return page | {"items": items}


def _shape(name: str) -> Body:
    cpus, memory, gpus = SHAPES[name]
    built_in = [{"guestAcceleratorType": "nvidia-l4", "guestAcceleratorCount": gpus}] if gpus else []
    return {"name": name, "guestCpus": cpus, "memoryMb": memory, "accelerators": built_in}
