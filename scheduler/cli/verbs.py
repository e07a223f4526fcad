"""What makes a function a verb: the options that all verbs share, before or after the verb, and errors as exit codes.

A verb is a function `(cli: Cli, …) -> ExitCode | None`. `as_verb` takes `cli` out of the signature that typer sees and
puts the shared options in; what stands after the verb wins over what stands before it.
"""

from __future__ import annotations

import errno
import functools
import inspect
import typing
from collections.abc import Callable
from typing import Any

import typer

from scheduler.cli.exits import ExitCode, exit_code
from scheduler.cli.options import SHARED, SharedOptions
from scheduler.errors import OutfieldError

_CONTEXT = "typer_context"


def as_verb(function: Callable[..., object]) -> Callable[..., None]:
    """The function as typer shall call it."""
    hints = typing.get_type_hints(function, include_extras=True)
    given = list(inspect.signature(function).parameters.values())[1:]
    own = [parameter.replace(annotation=hints[parameter.name]) for parameter in given]

    @functools.wraps(function)
    def run(**values: Any) -> None:
        context: typer.Context = values.pop(_CONTEXT)
        later = SharedOptions(**{name: values.pop(f"shared_{name}") for name in SHARED})
        earlier = context.obj if isinstance(context.obj, SharedOptions) else SharedOptions()
        raise typer.Exit(int(carry_out(function, earlier.under(later), values)))

    keyword = inspect.Parameter.KEYWORD_ONLY
    extra = [inspect.Parameter(_CONTEXT, keyword, annotation=typer.Context)]
    for name, annotation in SHARED.items():
        default = False if name in ("json", "quiet") else None
        extra.append(inspect.Parameter(f"shared_{name}", keyword, default=default, annotation=annotation))
    parameters = [parameter.replace(kind=keyword) for parameter in own] + extra
    setattr(run, "__signature__", inspect.Signature(parameters))  # noqa: B010 - what typer reads
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run


def carry_out(function: Callable[..., object], options: SharedOptions, values: dict[str, Any]) -> ExitCode:
    """Call the verb; an error that is meant for the user is shown and becomes an exit code."""
    from scheduler.cli.session import Cli

    with Cli(options) as cli:
        try:
            result = function(cli, **values)
        except OutfieldError as error:
            cli.output.error(error)
            return exit_code(error)
        except OSError as error:
            if error.errno == errno.EPIPE:  # whoever read our output has seen enough; typer ends quietly
                raise
            cli.output.error(_file_trouble(error))
            return ExitCode.FAILED
        return result if isinstance(result, ExitCode) else ExitCode.OK


def _file_trouble(error: OSError) -> OutfieldError:
    where = f"{error.filename}: " if error.filename else ""
    hint = "Check that the folder is there, that you may write into it, and that the disk is not full."
    return OutfieldError(f"{where}{error.strerror or error}.", code="file_trouble", hint=hint)
