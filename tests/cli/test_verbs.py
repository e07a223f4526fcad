"""What all verbs share: options before and after, errors, exit codes; and verbs on this machine."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_rest import JOB, TOKEN, FakeRest
from typer.testing import Result

from scheduler import __version__

Run = Callable[..., Result]


def test_version(outfield: Run) -> None:
    assert outfield("--version").stdout == f"outfield {__version__}\n"


def test_no_verb_shows_what_there_is(outfield: Run) -> None:
    result = outfield()

    assert result.exit_code == 2
    assert "Jobs and frames:" in result.output


@pytest.mark.parametrize("words", [("jbos",), ("jobs", "--statsu", "x"), ("priority", "7", "101"), ("cancel",)])
def test_wrong_usage_is_2(outfield: Run, words: tuple[str, ...]) -> None:
    assert outfield(*words).exit_code == 2


def test_shared_options_may_stand_before_or_after(outfield: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs"] = [JOB]

    for words in (
        ("--json", "--server", fake.url, "--token", TOKEN, "jobs"),
        ("jobs", "--token", TOKEN, "--server", fake.url, "--json"),
        (
            "--server",
            "http://nowhere.example",
            "--token",
            "x",
            "jobs",
            "--json",
            "--server",
            fake.url,
            "--token",
            TOKEN,
        ),
    ):
        result = outfield(*words)
        assert (result.exit_code, json.loads(result.stdout)) == (0, [JOB])
        assert fake.seen[-1].headers["authorization"] == f"Bearer {TOKEN}"


def test_the_environment_names_server_and_token(outfield: Run, fake: FakeRest, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.answers["GET /jobs"] = []
    monkeypatch.setenv("OUTFIELD_SERVER", fake.url)
    monkeypatch.setenv("OUTFIELD_TOKEN", "from-environment")

    assert outfield("jobs").exit_code == 0
    assert fake.seen[-1].headers["authorization"] == "Bearer from-environment"


def test_a_profile_is_read_from_the_users_folder(outfield: Run, fake: FakeRest, home: Path) -> None:
    folder = home / "config" / "outfield"
    folder.mkdir(parents=True)
    (folder / "clients.toml").write_text(f'[studio]\nserver = "{fake.url}"\ntoken = "profile-token"\n')
    fake.answers["GET /jobs"] = []

    assert outfield("jobs", "--profile", "studio").exit_code == 0
    assert fake.seen[-1].headers["authorization"] == "Bearer profile-token"


def test_errors_say_what_happened_and_what_to_do(on: Run, fake: FakeRest) -> None:
    fake.fails("GET /jobs/8", 404, "job_unknown", "There is no job 00008.", [{"field": "job", "problem": "unknown"}])

    result = on("jobs", "8")

    assert result.exit_code == 3
    assert result.stdout == ""
    assert result.stderr == "There is no job 00008.\n  job: unknown\n  Do this.\n  [job_unknown]\n"


def test_errors_are_json_with_json(on: Run, fake: FakeRest) -> None:
    fake.fails("GET /jobs/8", 403, "wrong_role", "Not you.")

    result = on("jobs", "8", "--json")

    assert result.exit_code == 4
    assert json.loads(result.stderr) == {
        "code": "wrong_role",
        "message": "Not you.",
        "hint": "Do this.",
        "details": None,
    }


def test_nobody_there_is_5_and_says_how_to_start_a_farm(outfield: Run) -> None:
    result = outfield("--server", "http://127.0.0.1:9", "jobs")

    assert result.exit_code == 5
    assert "Cannot reach the scheduler at http://127.0.0.1:9" in result.stderr
    assert "outfield up" in result.stderr


def test_settings_are_shown_with_their_origin(outfield: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("o.toml").write_text("[server]\nport = 9000\n")
    monkeypatch.setenv("OUTFIELD_FARM__NAME", "studio")

    data = json.loads(outfield("config", "show", "--origin", "--json", "--config", "o.toml").stdout)

    assert data["server.port"] == {"value": 9000, "origin": "o.toml"}
    assert data["farm.name"] == {"value": "studio", "origin": "environment"}
    assert data["farm.lease_s"]["origin"] == "default"


def test_a_wrong_setting_is_said(outfield: Run) -> None:
    Path("o.toml").write_text("[server]\nprot = 9000\n")

    result = outfield("config", "show", "--config", "o.toml")

    assert result.exit_code == 1
    assert "server.port" in result.stderr


def test_a_worker_that_is_set_wrongly_says_so(outfield: Run) -> None:
    for words, told in ((("--server", "http://127.0.0.1:9", "--pool", "x" * 101), "pool"), ((), "--server")):
        result = outfield("worker", *words)

        assert result.exit_code == 2
        assert told in result.stderr
