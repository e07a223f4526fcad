"""`outfield rules`: checking and trying without a scheduler, and the rules of one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_rest import FakeRest, Request
from malformed_rules import CASES
from typer.testing import Result

Run = Callable[..., Result]

RULES = """
[[rules]]
name = "nda stays home"
when = 'job.tracking.project == "Secret"'
forbid = ["aws", "gce", "branch"]
[[rules]]
name = "night"
when = 'job.metadata.night == true'
allow = ["aws"]
[[rules]]
name = "many"
when = 'job.metadata.n > 3'
allow = ["gce"]
"""
ROUTE: dict[str, Any] = {
    "chosen": ["onprem"],
    "pools": [
        {
            "pool": "onprem",
            "allowed": True,
            "reason": "workers of this pool can take it",
            "detail": "1 of 1",
            "score": 1,
        },
        {"pool": "aws", "allowed": False, "reason": "rule 'nda stays home' forbids it", "detail": "", "score": 0},
    ],
    "rules": ["nda stays home"],
    "troubles": [{"rule": "odd", "reason": "there is no 'x'"}],
}
WHY: dict[str, Any] = {
    "job": "00007", "status": "QUEUED", "rank": {"position": 1, "of": 1, "score": 50.0, "parts": {"priority": 50}},
    "route": ROUTE, "waiting": [], "estimate": {"finish": None}, "tracking": {},
}  # fmt: skip
IN_FORCE = {
    "rules": [],
    "version": 3,
    "syntax": "toml",
    "author": "ada",
    "note": "",
    "created_at": "2026-01-01T00:00:00Z",
    "troubles": {},
}


@pytest.fixture
def rules(home: Path) -> Path:
    """A file of rules."""
    path = home / "rules.toml"
    path.write_text(RULES)
    return path


def test_check_says_that_all_is_well(outfield: Run, rules: Path) -> None:
    result = outfield("rules", "check", rules)
    assert (result.exit_code, result.stdout) == (0, f"{rules}: 3 rules, all of them in order.\n")
    assert json.loads(outfield("--json", "rules", "check", rules).stdout) == {"ok": True, "rules": 3, "faults": []}


def test_check_names_every_fault_with_its_place(outfield: Run, rules: Path) -> None:
    rules.write_text(RULES.replace("forbid", "forbit").replace('"gce"]', '"gcee"]'))
    result = outfield("rules", "check", rules)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{rules}:5:1: rules[0] 'nda stays home': 'forbit' is no key of a rule; did you mean 'forbid'?",
        f"{rules}:13:10: rules[2] 'many': there is no pool 'gcee'; did you mean 'gce'?",
    ]
    data = json.loads(outfield("--json", "rules", "check", rules).stdout)
    assert data["ok"] is False and (data["index"], data["line"], data["column"]) == (0, 5, 1)
    assert [fault["line"] for fault in data["faults"]] == [5, 13]


@pytest.mark.parametrize("case", CASES[::9], ids=lambda case: case.words)
def test_check_finds_what_is_malformed(outfield: Run, home: Path, case: Any) -> None:
    path = home / f"rules.{case.syntax}"
    path.write_text(case.text)
    result = outfield("rules", "check", path)
    assert result.exit_code == 1
    assert f"{path}:{case.line}:{case.column}: " in result.stdout


def test_check_of_a_file_that_is_none(outfield: Run, home: Path) -> None:
    assert outfield("rules", "check", home / "no.toml").exit_code == 3
    text = home / "rules.txt"
    text.write_text("")
    assert outfield("rules", "check", text).exit_code == 2
    (home / "x.toml").write_bytes(b"\xff")
    assert outfield("rules", "check", home / "x.toml").exit_code == 2


def test_check_knows_the_pools_of_the_settings(outfield: Run, home: Path, rules: Path) -> None:
    rules.write_text('[[rules]]\nname = "a"\nwhen = "budget.show.left_usd > 5"\nallow = ["far"]\n')
    assert outfield("rules", "check", rules).exit_code == 1
    settings = home / "outfield.toml"
    settings.write_text('[pools.far]\nbackend = "site"\nurl = "https://far.example"\n[budgets.show]\nusd = 10\n')
    assert outfield("rules", "check", rules, "--config", settings).exit_code == 0
    settings.write_text(settings.read_text() + rules.read_text())
    assert outfield("rules", "check", settings).exit_code == 0, "an outfield.toml brings its own pools"


def test_a_job_is_tried_on_a_file(outfield: Run, home: Path, rules: Path) -> None:
    job = home / "job.json"
    job.write_text(json.dumps({"name": "x", "tracking": {"project": "Secret"}, "metadata": {"night": True, "n": "x"}}))
    told = outfield("rules", "test", job, "--rules", rules)
    assert told.exit_code == 0, told.output
    assert "rule 'nda stays home' forbids it" in told.stdout
    assert "Rules that match: nda stays home, night." in told.stdout
    assert "Rule 'many' does not match" in told.stdout
    route = json.loads(outfield("--json", "rules", "test", job, "--rules", rules).stdout)["route"]
    assert route["chosen"] == ["onprem"]
    job.write_text(json.dumps({"name": "x", "metadata": {"night": True}}))
    route = json.loads(outfield("--json", "rules", "test", job, "--rules", rules).stdout)["route"]
    assert set(route["chosen"]) == {"onprem", "aws"}
    job.write_text("{")
    assert outfield("rules", "test", job, "--rules", rules).exit_code == 2
    missing = outfield("rules", "test", "00042", "--rules", rules)
    assert (missing.exit_code, "rules explain ID" in missing.stderr) == (3, True)
    job.write_text('{"nmae": "x"}')
    assert outfield("rules", "test", job, "--rules", rules).exit_code == 1


def test_a_late_job_is_tried_on_a_file(outfield: Run, home: Path, rules: Path) -> None:
    rules.write_text('[[rules]]\nname = "burst"\nwhen = \'job.deadline_slack_s("onprem") < 0\'\nallow = ["aws"]\n')
    job = home / "job.json"
    for deadline, pools in (("2020-01-01T00:00:00Z", {"onprem", "aws"}), ("2990-01-01T00:00:00Z", {"onprem"})):
        job.write_text(json.dumps({"name": "x", "deadline": deadline}))
        told = json.loads(outfield("--json", "rules", "test", job, "--rules", rules).stdout)
        assert set(told["route"]["chosen"]) == pools


def test_a_job_is_tried_on_the_farm(on: Run, home: Path, fake: FakeRest) -> None:
    fake.answers["POST /rules/test"] = WHY
    job = home / "job.json"
    job.write_text('{"name": "x"}')
    assert "nda stays home" in on("rules", "test", job).stdout
    assert fake.seen[-1].json == {"name": "x"}
    assert json.loads(on("--json", "rules", "test", job).stdout) == WHY


def test_explain(on: Run, fake: FakeRest) -> None:
    fake.answers["GET /jobs/00007/why"] = WHY
    told = on("rules", "explain", "00007").stdout
    assert "rule 'nda stays home' forbids it" in told
    assert "Rules that match: nda stays home." in told
    assert "Rule 'odd' does not match: there is no 'x'." in told
    assert json.loads(on("--json", "rules", "explain", "00007").stdout) == {"job": "00007", "route": ROUTE}


def test_put(on: Run, fake: FakeRest, rules: Path) -> None:
    fake.answers["PUT /rules"] = IN_FORCE
    result = on("rules", "put", rules, "-m", "why", "--if", "2")
    assert (result.exit_code, result.stdout) == (0, "3\n")
    assert fake.seen[-1].json == {"text": RULES, "syntax": "toml", "note": "why"}
    assert fake.seen[-1].headers["if-match"] == "2"


def test_put_that_is_refused(on: Run, fake: FakeRest, rules: Path) -> None:
    fault = {"index": 1, "line": 7, "column": 3, "message": "no", "name": "x"}
    fake.fails("PUT /rules", 422, "invalid_rules", details={"index": 1, "line": 7, "column": 3, "faults": [fault]})
    result = on("rules", "put", rules)
    assert (result.exit_code, result.stdout) == (1, f"{rules}:7:3: rules[1]: no\n")
    fake.fails("PUT /rules", 409, "rules_changed")
    assert on("rules", "put", rules).exit_code == 1


def test_show_history_and_rollback(on: Run, fake: FakeRest) -> None:
    version = {
        "version": 3,
        "text": RULES,
        "rules": [],
        "syntax": "toml",
        "author": "ada",
        "note": "",
        "created_at": "2026-01-01T00:00:00Z",
    }
    fake.answers["GET /rules"] = IN_FORCE
    fake.answers["GET /rules/history/3"] = version
    assert on("rules", "show").stdout == RULES.rstrip("\n") + "\n"
    assert "Version 3, by ada" in on("rules", "show", "3").stderr
    assert on("rules", "show", "4").exit_code == 3
    fake.answers["GET /rules"] = {**IN_FORCE, "version": 0}
    assert (on("rules", "show").stdout, on("rules", "show").exit_code) == ("", 0)

    def listed(_request: Request) -> tuple[int, Any]:
        return 200, {"data": [{**version, "rules": 2}], "message": ""}

    fake.answers["GET /rules/history"] = listed
    assert on("rules", "history").stdout.strip().splitlines()[-1].split()[:3] == ["3", "2", "ada"]
    fake.answers["POST /rules/history/1"] = {**IN_FORCE, "version": 4}
    assert on("rules", "rollback", "1").stdout == "4\n"
