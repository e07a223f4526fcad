"""`rules check`, `test`, `explain`, `show`, `put`, `history`, `rollback`: routing rules from the command line.

`check`, and `test` with a file, need no scheduler. `check` exits with 0 if the rules can be put in force, with 1 if
they would be refused, and with 2 if the file cannot be read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scheduler.cli.exits import ExitCode
from scheduler.cli.jobs import JobArgument
from scheduler.cli.output import Column
from scheduler.cli.rule_files import RuleFile, read_job
from scheduler.cli.session import Cli
from scheduler.cli.times import ago
from scheduler.clock import SystemClock

HISTORY_COLUMNS = (
    Column("Version", right=True), Column("Rules", right=True), Column("By"), Column("When"), Column("Why", wrap=True),
)  # fmt: skip
HISTORY_ROWS = 20
POOL_COLUMNS = (Column("Pool"), Column("Allowed"), Column("Why", wrap=True))

FileArgument = Annotated[Path, typer.Argument(metavar="FILE", help="rules: .toml, .yaml or .json, or an outfield.toml")]
ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="settings whose pools and budgets the rules may name"),
]


def check(cli: Cli, file: FileArgument, config: ConfigOption = None) -> ExitCode:
    """Check a file of rules without a scheduler; exits with 1 if one would be refused."""
    from scheduler.routing.rule_faults import RuleError

    rules = RuleFile.open(file, config)
    try:
        count = len(rules.read())
    except RuleError as error:
        if cli.output.as_json:
            cli.output.data({"ok": False, **error.details})
        else:
            for fault in error.faults:
                cli.output.line(f"{file}:{fault}")
        cli.output.note("These rules would be refused; those in force would stay.")
        return ExitCode.FAILED
    if cli.output.as_json:
        cli.output.data({"ok": True, "rules": count, "faults": []})
    else:
        cli.output.line(f"{file}: {count} rules, all of them in order.")
    return ExitCode.OK


def test(
    cli: Cli,
    job: Annotated[Path, typer.Argument(metavar="JOB.json", help="a job as for POST /new_job; - reads stdin")],
    rules: Annotated[Path | None, typer.Option(metavar="FILE", help="try these, without a scheduler")] = None,  # noqa: PT028
    config: ConfigOption = None,  # noqa: PT028 - a verb, not a test
) -> None:
    """Try a job that does not exist under the rules in force, or those of a file."""
    body = read_job(job)
    if rules is None:
        from scheduler.cli.why import explain as print_why

        told = cli.client.post("/rules/test", body).data
        return cli.output.data(told) if cli.output.as_json else print_why(cli.output, told)
    from scheduler.cli.rule_trial import try_rules

    told = try_rules(body, RuleFile.open(rules, config), SystemClock().now())
    return cli.output.data(told) if cli.output.as_json else _print_route(cli, told["route"])


def explain(cli: Cli, job: JobArgument) -> None:
    """Explain which pools a job may use, and by which rules."""
    told = cli.client.get(f"/jobs/{job}/why")
    if cli.output.as_json:
        return cli.output.data({"job": told.get("job"), "route": told["route"]})
    return _print_route(cli, told["route"])


def show(
    cli: Cli,
    version: Annotated[int | None, typer.Argument(metavar="VERSION", min=1, help="none: those in force")] = None,
) -> None:
    """Print the rules in force, or an older version, as they were written."""
    if version is None:
        found = cli.client.get("/rules")
        if not found["version"]:
            return cli.output.data(found) if cli.output.as_json else cli.output.note("This farm has no rules yet.")
        version = int(found["version"])
    found = cli.client.get(f"/rules/history/{version}")
    if cli.output.as_json:
        return cli.output.data(found)
    cli.output.note(f"Version {version}, by {found['author']}, {found['created_at']}, {found['syntax']}.")
    return cli.output.line(found["text"].rstrip("\n"))


def put(
    cli: Cli,
    file: FileArgument,
    note: Annotated[str, typer.Option("--note", "-m", metavar="TEXT", help="why they are changed")] = "",
    expected: Annotated[int | None, typer.Option("--if", metavar="VERSION", min=0, help="version they follow")] = None,
) -> ExitCode:
    """Put the rules of a file in force."""
    from scheduler.errors import Refused

    rules = RuleFile.open(file, None)
    match = None if expected is None else str(expected)
    try:
        answer = cli.client.put("/rules", rules.body(note), match=match)
    except Refused as error:
        if error.code != "invalid_rules" or cli.output.as_json:
            raise
        for fault in error.details["faults"]:
            where = "" if fault["index"] is None else f"rules[{fault['index']}]: "
            cli.output.line(f"{file}:{fault['line']}:{fault['column']}: {where}{fault['message']}")
        cli.output.note("Nothing was changed.")
        return ExitCode.FAILED
    if cli.output.as_json:
        cli.output.data(answer.data)
    else:
        cli.output.line(str(answer.data["version"]))
        cli.output.note(answer.message)
    return ExitCode.OK


def history(
    cli: Cli,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="versions to list")] = HISTORY_ROWS,
) -> None:
    """List the versions of the rules with who wrote them and when."""
    rows = cli.client.pages("/rules/history", limit=limit)
    if cli.output.as_json:
        return cli.output.data(rows)
    now = SystemClock().now()
    table = [[row["version"], row["rules"], row["author"], ago(row["created_at"], now), row["note"]] for row in rows]
    return cli.output.table(HISTORY_COLUMNS, table, empty="This farm has no rules yet.")


def rollback(
    cli: Cli, version: Annotated[int, typer.Argument(metavar="VERSION", min=1, help="see `outfield rules history`")]
) -> None:
    """Put an older version of the rules in force again."""
    answer = cli.client.post(f"/rules/history/{version}")
    if cli.output.as_json:
        return cli.output.data(answer.data)
    cli.output.line(str(answer.data["version"]))
    return cli.output.note(answer.message)


def _print_route(cli: Cli, route: Any) -> None:
    """The verdict on every pool, and the rules that match."""
    rows: list[list[object]] = []
    for pool in route.get("pools", []):
        why = "; ".join(text for text in (pool.get("reason"), pool.get("detail")) if text)
        rows.append([pool["pool"], "yes" if pool["allowed"] else "no", why])
    cli.output.table(POOL_COLUMNS, rows, empty="There is no pool.")
    if route.get("rules"):
        cli.output.line(f"Rules that match: {', '.join(route['rules'])}.")
    for trouble in route.get("troubles") or []:
        cli.output.line(f"Rule {trouble['rule']!r} does not match: {trouble['reason']}.")
