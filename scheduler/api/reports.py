"""What a worker may say of an attempt's end, before it is believed: numbers within their ranges."""

from __future__ import annotations

from scheduler.errors import Refused
from scheduler.protocol.work import Report

NUMBER_MAX = 2**53
"""Task numbers and sizes stay exact in every JSON parser up to here."""

ATTEMPT_MAX = 10**9
EXIT_CODE_MAX = 2**31
SECONDS_MAX = 365 * 86_400.0
RETRY_AFTER_MAX_S = 7 * 86_400.0
FRAME_ABS_MAX = 10**9


def check_report(report: Report) -> None:
    """Refuse what could not be stored.

    Raises:
        Refused: `invalid_request`, naming the field.
    """
    problems = {
        "task": not 0 <= report.task <= NUMBER_MAX,
        "attempt": not 0 <= report.attempt <= ATTEMPT_MAX,
        "exit_code": report.exit_code is not None and abs(report.exit_code) > EXIT_CODE_MAX,
        "seconds": not 0.0 <= report.seconds <= SECONDS_MAX,
        "retry_after_s": not 0.0 <= report.retry_after_s <= RETRY_AFTER_MAX_S,
        "files": any(not 0 <= file.size <= NUMBER_MAX or abs(file.frame or 0) > FRAME_ABS_MAX for file in report.files),
    }
    wrong = [field for field, is_wrong in problems.items() if is_wrong]
    if wrong:
        raise Refused(f"A report is out of range: {', '.join(wrong)}.", details=[{"field": field} for field in wrong])
