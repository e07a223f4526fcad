"""`simulate` and `jobs --export` as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fake_rest import FakeRest
from typer.testing import Result

Run = Callable[..., Result]

SPEC = "shows=2,days=4,seed=7,workers=3"
TRACE = b"""{"kind":"farm","format":"outfield-trace","version":1}
{"kind":"worker","worker":"w"}
{"kind":"job","job":"1","submitted_s":0,"seconds":[[10,10]],"frame_count":2,"project":"Alpha","deadline_s":15}
"""


def test_every_combination_is_a_variant(outfield: Run, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text('[farm]\nname = "x"\n[[rules]]\nname = "x"\nforbid = ["mars"]\n')
    rules = ("--rules", tmp_path / "a.toml", "--rules", tmp_path / "b.toml")

    result = outfield("--json", "simulate", "--generate", SPEC, *rules, "--policy", "edf", "--policy", "default")

    assert result.exit_code == 0, result.output
    assert [found["variant"] for found in json.loads(result.stdout)["variants"]] == [
        "edf · a.toml", "default · a.toml", "edf · b.toml", "default · b.toml",
    ]  # fmt: skip


def test_a_table_for_people_and_a_picture(outfield: Run, tmp_path: Path) -> None:
    picture = tmp_path / "out.svg"

    result = outfield("simulate", "--generate", SPEC, "--policy", "edf", "--plot", picture)

    assert result.exit_code == 0, result.output
    assert "Alpha" in result.stdout
    assert "onprem" in result.stdout
    assert "Missed" in result.stdout
    assert picture.read_text().startswith("<?xml")


def test_owners_instead_of_projects(outfield: Run) -> None:
    assert "alpha-1" in outfield("simulate", "--generate", SPEC, "--owners").stdout


def test_what_was_generated_can_be_kept_and_replayed(outfield: Run, tmp_path: Path) -> None:
    file = tmp_path / "month.jsonl"
    first = outfield("--json", "simulate", "--generate", SPEC, "--save", file)
    second = outfield("--json", "simulate", file)

    assert first.exit_code == second.exit_code == 0
    assert first.stdout == second.stdout


def test_a_trace_is_replayed(outfield: Run, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"
    file.write_bytes(TRACE)

    (variant,) = json.loads(outfield("--json", "simulate", file).stdout)["variants"]

    assert variant["ended_s"] == 20
    assert variant["projects"]["Alpha"]["deadlines"] == {
        "set": 1, "missed": 1, "late_s": {"median": 5, "p90": 5, "total": 5},
    }  # fmt: skip


def test_mistakes_are_told(outfield: Run, tmp_path: Path) -> None:
    broken, rules = tmp_path / "broken.jsonl", tmp_path / "rules.toml"
    broken.write_bytes(TRACE + b'{"kind":"job"}\n')
    rules.write_text('[[rules]]\nname = "x"\nwhen = "job.nonsense == 1"\nallow = ["aws"]\n')

    for words, code, says in (
        ((), 2, "Name a TRACE"),
        ((broken, "--generate", SPEC), 2, "Name a TRACE"),
        ((tmp_path / "none",), 3, "There is no file"),
        ((broken,), 1, "line 4: "),
        (("--generate", "shos=2"), 1, "did you mean 'shows'"),
        (("--generate", SPEC, "--policy", "edff"), 1, "neither a policy's name"),
        (("--generate", SPEC, "--plot", "a.gif"), 1, "neither"),
        (("--generate", SPEC, "--rules", tmp_path / "none.toml"), 3, "There is no file"),
        (("--generate", SPEC, "--rules", broken), 2, "ends in"),
        (("--generate", SPEC, "--rules", rules), 1, "3:"),
    ):
        result = outfield("simulate", *words)
        assert (result.exit_code, says in result.stderr) == (code, True), (words, result.output)


def test_jobs_are_exported(on: Run, fake: FakeRest, tmp_path: Path) -> None:
    fake.answers["GET /jobs/export"] = lambda _request: (200, json.loads(TRACE.splitlines()[0]))
    file = tmp_path / "trace.jsonl"

    result = on("jobs", "--export", file, "--since", "2026-01-01", "--anonymous")

    assert (result.exit_code, result.stdout) == (0, f"{file}\n")
    assert json.loads(file.read_bytes())["format"] == "outfield-trace"
    assert fake.seen[-1].query == "since=2026-01-01&anonymous=true"
    assert [path.name for path in tmp_path.glob("*trace*")] == ["trace.jsonl"]


def test_a_refused_export_leaves_nothing(on: Run, tmp_path: Path) -> None:
    file = tmp_path / "trace.jsonl"

    assert on("jobs", "--export", file).exit_code == 3
    assert list(tmp_path.glob("*trace*")) == []
    assert on("jobs", "--since", "2026-01-01").exit_code == 2
