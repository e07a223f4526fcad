"""Workers and tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from fake_rest import FakeRest
from typer.testing import Result

Run = Callable[..., Result]

WORKER: dict[str, Any] = {
    "worker": "w1", "name": "node-1", "pool": "onprem", "host": "", "status": "ACTIVE", "drain": False, "slots": 2,
    "running": [{"task": 3}], "load": 0.5, "blocked": "", "registered_at": None, "last_seen_at": None,
    "owner": "ada", "leaving": "", "rating": 1.25, "rated_at": None, "succeeded": 20, "failed": 0, "reliability": 0.975,
    "capabilities": {"vcpus": 8, "memory_gib": 15.6, "gpus": 0, "tags": ["linux"], "renderers": {"blender": ["3.4.1"]}},
}  # fmt: skip


def last_line(result: Result) -> list[str]:
    """The words of a table's last row."""
    return result.stdout.strip().splitlines()[-1].split()


def test_workers(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /workers"] = [WORKER]
    fake.answers["GET /workers/w1"] = WORKER
    fake.answers["POST /workers/w1/drain"] = WORKER

    row = last_line(on("workers"))
    assert row == [
        "w1", "node-1", "onprem", "ACTIVE", "1/2", "8", "16", "GiB", "0", "1.25", "97.5%", "blender", "3.4.1",
    ]  # fmt: skip
    assert "linux" in on("workers", "w1").stdout
    fake.answers["GET /workers/w1"] = WORKER | {"blocked": "the disk is full"}
    blocked = on("workers", "w1").stdout
    assert "BLOCKED" in blocked and "the disk is full" in blocked
    assert on("drain", "w1").exit_code == 0
    assert on("enable", "w2").exit_code == 3


def test_a_new_token_is_printed_alone(on: Run, fake: FakeRest) -> None:
    fake.answers["POST /tokens"] = {"id": "t1", "token": "ofd_t1_secret", "role": "user"}

    assert on("token", "new", "ada").stdout == "ofd_t1_secret\n"
    assert fake.seen[-1].json == {"name": "ada", "role": "user"}


@pytest.mark.parametrize("role", ["worker", "join"])
def test_a_worker_gets_a_join_code_and_its_command(on: Run, fake: FakeRest, role: str) -> None:
    fake.answers["POST /tokens"] = {"id": "t1", "token": "ABCDEFGHJK", "role": "join"}

    result = on("token", "new", "--role", role, "--expires-s", "60")

    assert result.stdout == "ABCDEFGHJK\n"
    assert f"outfield worker --server {fake.url} --join ABCDEFGHJK" in result.stderr
    assert fake.seen[-1].json["role"] == "join"
    assert fake.seen[-1].json["expires_s"] == 60.0


def test_tokens_are_listed_and_revoked(on: Run, fake: FakeRest) -> None:
    token = {"id": "t1", "name": "ada", "role": "user", "user": "ada", "worker": None}
    fake.answers["GET /tokens"] = [token | {"created_at": None, "expires_at": None}]
    fake.answers["DELETE /tokens/t1"] = "t1"

    assert on("token", "ls", "--quiet").stdout == "t1\n"
    assert on("token", "revoke", "t1").exit_code == 0
