"""The farm's labels in the comment of a Slurm job: a field that is free, is listed, and survives Slurm's restarts."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode


def written(labels: Mapping[str, str]) -> str:
    """Labels as a job's comment: `name=value&name=value`, with everything else but plain characters escaped."""
    return urlencode(labels)


def read(comment: str) -> dict[str, str]:
    """The labels of a comment; empty for a comment that somebody else wrote."""
    return dict(parse_qsl(comment)) if "=" in comment else {}
