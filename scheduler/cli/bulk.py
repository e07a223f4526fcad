"""Doing the same to several things: one that refuses does not keep the others from it; the first failure decides."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from scheduler.cli.exits import ExitCode, Unreachable, exit_code
from scheduler.cli.session import Cli
from scheduler.errors import OutfieldError

if TYPE_CHECKING:
    from scheduler.cli.client import Answer


def each(cli: Cli, names: Iterable[str], call: Callable[[str], Answer]) -> ExitCode:
    """Call for every name and print what happened.

    Raises:
        Unreachable: the scheduler is away; then the rest is not tried.
    """
    names = list(dict.fromkeys(names))
    result, answers = ExitCode.OK, list[Any]()
    for name in names:
        try:
            answer = call(name)
        except Unreachable:
            raise
        except OutfieldError as error:
            cli.output.error(error)
            result = result or exit_code(error)
            continue
        answers.append(answer.data)
        if not cli.output.as_json and not cli.output.quiet:
            cli.output.line(answer.message)
    if cli.output.as_json and answers:
        cli.output.data(answers[0] if len(names) == 1 else answers)
    return result
