"""What another farm's answers mean: statuses as errors, JSON as the domain's own words. Nothing is believed unseen."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from scheduler.backends.site.troubles import SiteDenied, SiteFault, SiteRefused, SiteSilent
from scheduler.domain.handover import FarFrame, FarJob
from scheduler.domain.states import JobStatus
from scheduler.errors import Conflict, NotFound

WORDS_MAX = 500
"""Characters that are kept of what another farm says."""

RETRY_MAX_S = 3600.0
"""Longest pause that another farm may impose with `Retry-After`."""

INTERNAL_ERROR = 500

_HASH = re.compile(r"[0-9a-f]{64}")
_JOB = re.compile(r"\d{5,15}")


def check(response: httpx.Response) -> None:
    """Raise what the status means; an answer in the 200s passes.

    Raises:
        SiteSilent, SiteDenied, SiteFault, SiteRefused, NotFound, Conflict: see `troubles` and `scheduler.errors`.
    """
    if response.is_success:
        return
    status, (code, words) = response.status_code, _error_of(response)
    if status in (401, 403):
        raise SiteDenied(f"it does not let this farm in: {words}")
    if status == 404 and code:
        raise NotFound(words, code=code)
    if status == 409:
        raise Conflict(words, code=code or "conflict")
    if 400 <= status < 500 and status not in (404, 408, 429) and code:
        raise SiteRefused(words, code=code)
    if status == INTERNAL_ERROR:
        raise SiteFault(f"it failed: {words}")
    retry = response.headers.get("retry-after", "")
    raise SiteSilent(
        f"it answers with {status}: {words}", retry_s=min(RETRY_MAX_S, float(retry)) if retry.isdigit() else 0.0
    )


def _error_of(response: httpx.Response) -> tuple[str, str]:
    """Code and words of an error; the code is empty where it is not a farm that answers."""
    try:
        body = response.json()
        code, words = str(body["data"]["code"]), str(body["message"])
    except (ValueError, KeyError, TypeError):
        return "", response.reason_phrase or "no reason given"
    return code[:100], words[:WORDS_MAX]


def data_of(response: httpx.Response) -> Any:
    """What is in the envelope.

    Raises:
        SiteSilent: there is none.
    """
    try:
        return response.json()["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise SiteSilent("it does not answer like an Outfield farm") from error


def job_of(data: Any, why: Any = None) -> FarJob:
    """A job, and what its `why` adds.

    Raises:
        SiteFault: it is none.
    """
    try:
        if not _JOB.fullmatch(data["jobID"]):
            raise ValueError(data["jobID"])
        return FarJob(
            job=data["jobID"],
            status=JobStatus(data["status"]),
            published=int(data["frames_published"]),
            frames=int(data["frame_count"]),
            reason=_reason(data, why or {}),
            finish=str(((why or {}).get("estimate") or {}).get("finish") or "")[:WORDS_MAX],
            worked_s=max(0.0, float(data.get("worked_s") or 0.0)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise SiteFault("it does not tell of a job as an Outfield farm does") from error


def _reason(data: Mapping[str, Any], why: Mapping[str, Any]) -> str:
    """What its tasks wait for or what failed there, else the job's own reason."""
    failures = [str(found["message"]) for found in why.get("failures") or ()]
    waiting = [str(found["reason"]) for found in why.get("waiting") or ()]
    found = failures if data["status"] == JobStatus.FAILED else waiting
    return str((found or [data["reason"]])[0])[:WORDS_MAX]


def frames_of(rows: Any) -> list[FarFrame]:
    """The published ones of a list of frames.

    Raises:
        SiteFault: it is none.
    """
    try:
        found = [
            FarFrame(int(row["frame"]), str(row["hash"]), int(row["size"]))
            for row in rows
            if row["status"] == "published"
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise SiteFault("it does not tell of frames as an Outfield farm does") from error
    if not all(_HASH.fullmatch(frame.hash) and frame.size >= 0 for frame in found):
        raise SiteFault("it tells of a frame without a hash")
    return found
