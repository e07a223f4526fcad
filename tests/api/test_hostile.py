"""Hostile text in every field, path and header: no 5xx, no path outside the job's folder, always the envelope."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from api_client import ServedFarm
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.api.permissions import PERMISSIONS
from scheduler.scenes.outputs import frame_path

NASTY = [
    "", " ", ".", "..", "../../etc/passwd", "/etc/passwd", "C:\\Windows\\x", "\\\\host\\share", "a/../../b", "~root/x",
    "con", "aux.png", "x" * 5000, "\x00", "a\x00b", "\x1b[31m", "\r\nSet-Cookie: a=b", "<script>alert(1)</script>",
    "' OR 1=1 --", '"; DROP TABLE job; --', "%00", "%2e%2e%2f", "%s%n%d", "{0.__class__}", "${jndi:x}", "$(reboot)",
    "`id`", "\u202egnp.exe", "\ufeff", "\uffff", "é" * 300, "🎬" * 200, "####", "#" * 300, "%04d", "1-9999999999",
    "1-10x0", "1-10:0", "-1--1", "٣", "1e999", "NaN", "2026-13-45T99:99:99Z", "blob:", "blob:../../x", "file:///etc/x",
]  # fmt: skip
hostile = st.sampled_from(NASTY) | st.text(max_size=60) | st.text(alphabet="./\\~#:%-x0 \0", max_size=40)

FIELDS: dict[str, Any] = {
    "name": lambda text: {"name": text},
    "renderer": lambda text: {"renderer": text},
    "scene": lambda text: {"scene": text},
    "scene blob": lambda text: {"scene": f"blob:{text}"},
    "frames": lambda text: {"frames": text},
    "output": lambda text: {"output": text},
    "output below the root": lambda text: {"output": f"ROOT/{text}/a.####.png"},
    "output name": lambda text: {"output": f"ROOT/{text}.####.png"},
    "format": lambda text: {"format": text},
    "deadline": lambda text: {"deadline": text},
    "cloud": lambda text: {"cloud": text},
    "pools": lambda text: {"pools": [text]},
    "depends_on": lambda text: {"depends_on": [text]},
    "tags": lambda text: {"requires": {"tags": [text]}},
    "tracking": lambda text: {"tracking": {"project": text, "shot": text, "sequence": text, "task": text}},
    "metadata": lambda text: {"metadata": {text: [text, {text: text}]}},
    "settings": lambda text: {"settings": {text: text}},
    "any field": lambda text: {text: text},
}

HEADERS = ["Host", "Origin", "Authorization", "X-API-Token", "Idempotency-Key", "Content-Type", "Range", "Cookie",
           "Last-Event-ID", "If-None-Match", "X-Lease-Secret", "X-Content-SHA256"]  # fmt: skip
BOUNDED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
LIGHT = settings(BOUNDED, max_examples=BOUNDED.max_examples // 2)


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedFarm]:
    """A farm that may be asked as fast as a test can."""
    made = ServedFarm(tmp_path_factory.mktemp("farm"), requests_per_s_max=1e9, requests_burst_max=10**9)
    yield made
    made.close()


def check(response: httpx.Response) -> None:
    """It was answered in words, not by a bug."""
    assert response.status_code < 500, response.text
    if response.headers.get("content-type") == "application/json" and response.content:
        assert set(response.json()) == {"data", "message"}


@pytest.mark.parametrize("field", FIELDS)
@BOUNDED
@given(text=hostile)
def test_in_every_field_of_a_submission(farm: ServedFarm, field: str, text: str) -> None:
    root = farm.settings.server.data / "out"
    body = {"name": "x", **FIELDS[field](text)}
    if "output" in body:
        body["output"] = str(body["output"]).replace("ROOT", str(root))

    response = farm.call("POST", "/new_job", json=body)

    check(response)
    if response.status_code == 201:
        job = response.json()["data"]
        target = frame_path(job["output"], 1)
        home = farm.settings.server.data if "output" in body else farm.store.folders.frames / job["jobID"]
        assert ".." not in target.parts
        assert target.is_relative_to(home)
        assert farm.call("GET", f"/jobs/{job['jobID']}").status_code == 200


@BOUNDED
@given(text=hostile, key=st.sampled_from([key for key in PERMISSIONS if "{" in key]))
def test_in_every_path(farm: ServedFarm, text: str, key: str) -> None:
    method, _, path = key.partition(" ")
    role = "worker" if "/attempts/" in path or path.endswith("/sync") else "admin"
    # Dots are encoded too: the client would take `/jobs/.` for `/jobs`, and the route would never see it.
    hidden = quote(text, safe="").replace(".", "%2E")
    filled = "/".join(hidden if part.startswith("{") else part for part in path.split("/"))
    response = farm.call(method, filled, role, headers={"X-Lease-Secret": "x"})

    check(response)
    assert response.status_code >= 400


QUERIES = ["/jobs?status={}", "/jobs?user={}&shot={}", "/jobs?limit={}", "/jobs?cursor={}", "/jobs/1/tasks?cursor={}",
           "/jobs/1/frames?cursor={}", "/jobs/1/events?cursor={}", "/jobs/1/sheet?columns={}", "/tasks/1/log?offset={}",
           "/tasks/1/log?attempt={}", "/events?job={}x", "/events?last_event_id={}x"]  # fmt: skip


@pytest.mark.parametrize("query", QUERIES)
@LIGHT
@given(text=hostile)
def test_in_every_query(farm: ServedFarm, query: str, text: str) -> None:
    check(farm.call("GET", query.replace("{}", quote(text, safe=""))))


CALLS = [("GET", "/jobs"), ("POST", "/new_job"), ("POST", "/jobs/new"), ("GET", "/docs"), ("GET", "/events/x")]


@pytest.mark.parametrize("header", HEADERS)
@LIGHT
@given(value=hostile, call=st.sampled_from(CALLS))
def test_in_every_header(farm: ServedFarm, header: str, value: str, call: tuple[str, str]) -> None:
    sent = {header: value.replace("\r", "").replace("\n", "").encode("utf-8", "surrogatepass")}
    check(farm.call(*call, "user", content=b'{"name": "x"}' if call[0] == "POST" else None, headers=sent))


@BOUNDED
@given(
    body=st.binary(max_size=300),
    path=st.sampled_from(["/new_job", "/jobs/new", "/jobs/cancel", "/workers", "/jobs/1/retry"]),
    kind=st.sampled_from(["application/json", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"]),
)
def test_any_bytes_as_a_body(farm: ServedFarm, body: bytes, path: str, kind: str) -> None:
    check(farm.call("POST", path, content=body, headers={"Content-Type": kind}))


@BOUNDED
@given(parts=st.lists(st.tuples(hostile, hostile, hostile), max_size=4))
def test_any_form(farm: ServedFarm, parts: list[tuple[str, str, str]]) -> None:
    pieces = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n{text}\r\n'
        for name, file, text in parts
    ]
    body = "".join(pieces).encode("utf-8", "surrogatepass") + b"--x--\r\n"

    check(farm.call("POST", "/jobs/new", content=body, headers={"Content-Type": "multipart/form-data; boundary=x"}))


def test_nothing_was_written_outside(farm: ServedFarm) -> None:
    data = farm.settings.server.data

    assert {path.name for path in data.iterdir()} <= {
        "blobs", "frames", "staging", "logs", "previews", "backups", "scheduler.lock",
        "outfield.sqlite", "outfield.sqlite-wal", "outfield.sqlite-shm",
    }  # fmt: skip
    assert [path for path in (data / "frames").rglob("*") if path.is_file()] == []
    assert list(Path(data, "staging").iterdir()) == []
