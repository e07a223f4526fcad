"""`bench worker`: measured, kept, shown and sent."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fake_rest import FakeRest
from typer.testing import Result

from worker.identity import Identity, save_identity
from worker.runners.power import load_power

Run = Callable[..., Result]
QUICK = ("bench", "worker", "--threads", "2", "--repeat", "1", "--no-blender")


def test_it_prints_a_rating_and_keeps_it(outfield: Run, tmp_path: Path) -> None:
    data = tmp_path / "w"
    shown = outfield(*QUICK, "--data", data)
    measured = json.loads(outfield(*QUICK, "--data", data, "--json").stdout)

    assert "for each of 2 vCPUs" in shown.stdout
    assert [row["threads"] for row in measured["kernel"]["threads"]] == [1, 2]
    assert measured["rating"] > 0
    assert load_power(data) == measured


def test_it_is_sent_as_the_worker_of_the_folder(outfield: Run, fake: FakeRest, tmp_path: Path) -> None:
    data = tmp_path / "w"
    save_identity(data, Identity(fake.url, "w1", "t0ken", "farm", 20, 6, {}))
    fake.answers["POST /workers/w1/rating"] = {}
    result = outfield(*QUICK, "--data", data, "--send")

    assert result.exit_code == 0, result.stderr
    assert fake.seen[-1].json["rating"] == load_power(data)["rating"]
    assert fake.seen[-1].json["bench"]["vcpus"] == 2
    assert fake.seen[-1].headers["authorization"] == "Bearer t0ken"


def test_it_is_sent_for_a_worker_that_is_named(on: Run, fake: FakeRest, tmp_path: Path) -> None:
    fake.answers["POST /workers/w9/rating"] = {}
    assert on(*QUICK, "--data", tmp_path / "w", "--worker", "w9").exit_code == 0
    assert fake.seen[-1].path == "/workers/w9/rating"


def test_a_folder_without_a_worker_is_refused(on: Run, tmp_path: Path) -> None:
    result = on(*QUICK, "--data", tmp_path / "w", "--send")
    assert result.exit_code == 2
    assert "--worker ID" in result.stderr
