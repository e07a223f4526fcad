"""`token new`, `ls`, `revoke`: credentials of people and join codes of workers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from scheduler.cli.bulk import each
from scheduler.cli.exits import ExitCode
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.cli.times import ago
from scheduler.clock import SystemClock

COLUMNS = (Column("ID"), Column("Name"), Column("Role"), Column("User"), Column("Made"), Column("Expires"))


class TokenRole(StrEnum):
    """What can be asked for; a worker never gets a token by hand but trades a join code for one."""

    ADMIN = "admin"
    USER = "user"
    WORKER = "worker"
    JOIN = "join"


def new(
    cli: Cli,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="whose or what for")] = None,
    role: Annotated[TokenRole, typer.Option(help="worker and join both make a join code")] = TokenRole.USER,
    expires_s: Annotated[float | None, typer.Option(min=1, metavar="S", help="valid for so many seconds")] = None,
    user: Annotated[
        str | None, typer.Option(metavar="NAME", help="whose jobs are submitted with it; whose the worker is")
    ] = None,
) -> None:
    """Make a token, or a join code for a worker; it is never shown again."""
    wanted = TokenRole.JOIN if role is TokenRole.WORKER else role
    body = {"name": name or f"{role.value} token", "role": wanted.value, "expires_s": expires_s, "user": user}
    answer = cli.client.post("/tokens", {key: value for key, value in body.items() if value is not None})
    if cli.output.as_json:
        return cli.output.data(answer.data)
    cli.output.line(answer.data["token"])
    if wanted is TokenRole.JOIN:
        where = cli.connection.server
        pin = f" --ca-pin {answer.data['ca_pin']}" if answer.data.get("ca_pin") else ""
        command = f"outfield worker --server {where} --join {answer.data['token']}{pin}"
        cli.output.note(f"Valid once. On the machine: {command}")
    else:
        cli.output.note(f"Keep it: it is not shown again. `outfield token revoke {answer.data['id']}` ends it.")
    return None


def ls(cli: Cli) -> None:
    """List the valid tokens and join codes, without their secrets."""
    rows = cli.client.get("/tokens")
    if cli.output.as_json:
        return cli.output.data(rows)
    now = SystemClock().now()
    table = [
        [row["id"], row["name"], row["role"], row["user"], ago(row["created_at"], now), row["expires_at"]]
        for row in rows
    ]
    cli.output.table(COLUMNS, table, empty="There are no tokens.")
    return None


def revoke(
    cli: Cli, ids: Annotated[list[str], typer.Argument(metavar="ID...", help="token IDs, see `outfield token ls`")]
) -> ExitCode:
    """End tokens at once."""
    return each(cli, ids, lambda token: cli.client.delete(f"/tokens/{token}"))
