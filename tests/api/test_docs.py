"""The document and the page that shows it: complete, from own files, with no network and no inline script."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from api_client import ServedFarm
from components import require
from live_api import listening

from scheduler.api.app import openapi_document
from scheduler.api.pages import STATIC

VENDOR = json.loads((STATIC / "vendor.json").read_text())


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The OpenAPI document, without a running scheduler."""
    return openapi_document()


def references(node: Any) -> set[str]:
    """Every `$ref` below."""
    if isinstance(node, dict):
        own = {node["$ref"]} if isinstance(node.get("$ref"), str) else set()
        return own.union(*(references(value) for value in node.values()))
    return set().union(*(references(value) for value in node)) if isinstance(node, list) else set()


def test_it_is_the_same_with_and_without_a_farm(shared_farm: ServedFarm, document: dict[str, Any]) -> None:
    assert shared_farm.call("GET", "/openapi.json", "none").json() == json.loads(json.dumps(document))


def test_it_is_whole(document: dict[str, Any]) -> None:
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    calls = [call for calls in document["paths"].values() for call in calls.values()]
    tags = {tag["name"] for tag in document["tags"]}

    assert document["openapi"].startswith("3.1")
    assert references(document) <= schemas
    assert len({call["operationId"] for call in calls}) == len(calls)
    for call in calls:
        assert call["summary"]
        assert call["description"]
        assert set(call["tags"]) <= tags
    assert {"NewJob", "SyncRequest", "Lease", "ErrorEnvelope", "WorkerHello"} <= set(document["components"]["schemas"])
    assert "ValidationError" not in json.dumps(document)


def test_every_error_has_the_one_shape(document: dict[str, Any]) -> None:
    for path, calls in document["paths"].items():
        for call in calls.values():
            for status, told in call["responses"].items():
                if status >= "400":
                    schema = told["content"]["application/json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/ErrorEnvelope"}, (path, status)


def test_vendored_files_are_what_their_lock_says() -> None:
    for package in VENDOR["packages"]:
        assert set(package) == {"name", "version", "licence", "folder", "files"}
        folder = STATIC / package["folder"]
        found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
        assert found == package["files"]
    assert {path.name for path in STATIC.iterdir()} == {"vendor.json", "docs-page", "swagger-ui"}


def test_the_page_loads_nothing_from_elsewhere_and_runs_nothing_inline(shared_farm: ServedFarm) -> None:
    page = shared_farm.call("GET", "/docs", "none")
    sources = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert page.headers["content-security-policy"].startswith("default-src 'self'")
    assert "unsafe" not in page.headers["content-security-policy"]
    assert re.findall(r"<script(?![^>]*src=)", page.text) == []
    assert re.findall(r"\son\w+=|style=", page.text) == []
    for source in sources:
        assert source == "data:," or shared_farm.call("GET", source, "none").status_code == 200
    assert "://" not in "".join(sources) + (STATIC / "docs-page" / "init.js").read_text().replace("https://", "")


@pytest.mark.parametrize(
    "path", ["../app.py", "..%2f..%2fapp.py", "swagger-ui/../../app.py", "%2e%2e/app.py", "nothing.js"]
)
def test_nothing_else_is_served(shared_farm: ServedFarm, path: str) -> None:
    assert shared_farm.call("GET", f"/docs/static/{path}", "none").status_code == 404


@pytest.mark.processes
def test_a_browser_shows_every_call_without_a_complaint(tmp_path: Path) -> None:
    chromium = require("chromium")
    farm = ServedFarm(tmp_path)

    async def browse() -> tuple[str, str]:
        async with listening(farm) as url:
            import asyncio

            process = await asyncio.create_subprocess_exec(
                str(chromium), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
                f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000", "--dump-dom", f"{url}/docs",
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            )  # fmt: skip
            async with asyncio.timeout(60):
                page, said = await process.communicate()
            return page.decode(), said.decode()

    page, said = farm.run(browse())
    farm.close()

    assert "/new_job" in page
    assert page.count("opblock-summary-path") >= 40
    assert [line for line in said.splitlines() if "CONSOLE" in line] == []
