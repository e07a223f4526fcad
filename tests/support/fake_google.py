"""Google Cloud for the tests of deploying, over real HTTP: networks, routers, firewalls, templates, accounts, buckets.

It stores what it is given under the name that it has, answers inserts and deletes with an operation that must be waited
for, and refuses what Google would: a second thing of one name, a network that is still used, a bucket that is not
empty. What launches workers has a fake of its own.
"""

from __future__ import annotations

import itertools
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

RESOURCE = re.compile(
    r"/compute/v1/projects/[^/]+/(?:global|regions/(?P<region>[^/]+)|zones/(?P<zone>[^/]+))/(?P<kind>[a-zA-Z]+)(?:/(?P<name>[^/]+))?(?P<wait>/wait)?"
)
ACCOUNTS = re.compile(r"/v1/projects/(?P<project>[^/]+)/serviceAccounts(?:/(?P<email>[^/]+))?")
BUCKETS = re.compile(r"/storage/v1/b(?:/(?P<bucket>[^/]+))?(?P<objects>/o)?")

Answer = tuple[int, dict[str, Any]]


class FakeGoogle:
    """Use as a context manager; `things` maps (kind, name) to what was stored, `objects` buckets to their objects."""

    def __init__(self) -> None:
        self.things: dict[tuple[str, str], dict[str, Any]] = {}
        self.objects: dict[str, list[str]] = {}
        self.operations: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refuse: dict[str, Answer] = {}
        """Answers by "METHOD kind" that come instead of the right ones."""
        self._numbers = itertools.count(1)
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length) or b"{}")
                status, said = fake.answer(self.command, self.path, body)
                data = json.dumps(said).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_DELETE = answer  # noqa: N815  the names that http.server calls

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        parts = urlsplit(path)
        if parts.path.endswith("/aggregated/instances"):
            return 200, {"id": "1", "items": {"zones/all": {"instances": self.of_kind("instances")}}}
        if found := RESOURCE.fullmatch(parts.path):
            self.calls.append(f"{method} {found['kind']}")
            return self.refuse.get(f"{method} {found['kind']}") or self._compute(method, found, body)
        if found := ACCOUNTS.fullmatch(parts.path):
            self.calls.append(f"{method} accounts")
            return self._account(method, found, body)
        if found := BUCKETS.fullmatch(parts.path):
            self.calls.append(f"{method} buckets")
            return self._bucket(method, found, body, parse_qs(parts.query))
        return error(404, f"{path} is not known")

    def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [thing for (each, _), thing in self.things.items() if each == kind]

    def _compute(self, method: str, found: re.Match[str], body: dict[str, Any]) -> Answer:
        kind, name = found["kind"], found["name"] or body.get("name", "")
        if kind == "operations":
            self.operations[name]["status"] = "DONE"
            return 200, self.operations[name]
        key = (kind, name)
        if method == "POST":
            if key in self.things:
                return error(409, f"The resource {name!r} already exists")
            self.things[key] = {"id": str(next(self._numbers)), **body}
        elif key not in self.things:
            return error(404, f"The resource {name!r} was not found")
        elif method == "DELETE":
            users = [each for _, each in self.things if f"/{kind}/{name}" in json.dumps(self.things[_, each])]
            if users:
                return error(400, f"The resource {name!r} is already being used by {users[0]!r}")
            del self.things[key]
        else:
            return 200, self.things[key]
        return 200, self._operation(found)

    def _operation(self, found: re.Match[str]) -> dict[str, Any]:
        name = f"operation-{next(self._numbers)}"
        place = {key: found[key] for key in ("region", "zone") if found[key]}
        self.operations[name] = {"id": str(next(self._numbers)), "name": name, "status": "RUNNING", **place}
        return dict(self.operations[name])

    def _account(self, method: str, found: re.Match[str], body: dict[str, Any]) -> Answer:
        if method == "POST":
            email = f"{body['accountId']}@{found['project']}.iam.gserviceaccount.com"
            self.things["accounts", email] = {"email": email, **body["serviceAccount"]}
            return 200, self.things["accounts", email]
        key = ("accounts", found["email"])
        if key not in self.things:
            return error(404, "Unknown service account")
        return 200, self.things.pop(key) if method == "DELETE" else self.things[key]

    def _bucket(self, method: str, found: re.Match[str], body: dict[str, Any], query: dict[str, list[str]]) -> Answer:
        name = found["bucket"] or body.get("name", "")
        if method == "POST":
            assert query["project"], "a bucket belongs to a project"
            self.things["buckets", name] = body
            return 200, body
        if ("buckets", name) not in self.things:
            return error(404, "The specified bucket does not exist.")
        if found["objects"]:
            return 200, {"items": [{"name": each} for each in self.objects.get(name, [])]}
        if method == "DELETE":
            if self.objects.get(name):
                return error(409, "The bucket you tried to delete is not empty.")
            return 200, self.things.pop(("buckets", name))
        return 200, self.things["buckets", name]


def error(status: int, message: str) -> Answer:
    """An error as Google words it."""
    return status, {"error": {"code": status, "message": message, "errors": [{"message": message, "reason": "x"}]}}
