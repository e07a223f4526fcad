"""What the exit codes of `outfield` mean, and which error leads to which."""

from __future__ import annotations

from enum import IntEnum

from scheduler.errors import Denied, NotFound, OutfieldError, Unavailable


class ExitCode(IntEnum):
    """The exit codes that scripts can rely on."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    DENIED = 4
    UNREACHABLE = 5
    JOB_FAILED = 6
    UNPLACEABLE = 7


class Usage(OutfieldError):
    """The command was given something that it cannot work with."""

    code = "usage"
    hint = "See `outfield VERB --help`."


class Unreachable(Unavailable):
    """The scheduler cannot be reached."""

    code = "unreachable"
    hint = "Start a farm with `outfield up`, or say where it is with --server or OUTFIELD_SERVER."


class JobFailed(OutfieldError):
    """The job that was waited for has not succeeded."""

    code = "job_failed"
    hint = "`outfield jobs ID` names the tasks that failed, `outfield logs TASK` shows why."


class Unplaceable(OutfieldError):
    """No pool of the farm may take the job, so waiting for it is in vain."""

    code = "unplaceable"
    hint = "`outfield why ID` gives the reason of each pool."


EXIT_BY_ERROR: tuple[tuple[type[OutfieldError], ExitCode], ...] = (
    (Usage, ExitCode.USAGE),
    (NotFound, ExitCode.NOT_FOUND),
    (Denied, ExitCode.DENIED),
    (Unreachable, ExitCode.UNREACHABLE),
    (JobFailed, ExitCode.JOB_FAILED),
    (Unplaceable, ExitCode.UNPLACEABLE),
)


def exit_code(error: OutfieldError) -> ExitCode:
    """The exit code of a command that ended in `error`."""
    return next((code for kind, code in EXIT_BY_ERROR if isinstance(error, kind)), ExitCode.FAILED)
