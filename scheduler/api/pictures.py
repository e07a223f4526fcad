"""Small pictures that a decoder was asked for: passed on, or told in words why there is none."""

from __future__ import annotations

from scheduler.errors import NotFound, Unavailable
from scheduler.imaging.facts import Verdict

_DECODER_BUSY = frozenset({"decoder_crashed", "decoder_timeout", "decoder_unavailable", "pool_closed", "cannot_write"})


def shown(verdict: Verdict, *, missing: NotFound, hint: str) -> None:
    """Nothing to say where there is a picture.

    Raises:
        NotFound: `missing` where the file is gone, else `preview_impossible`. Unavailable: `preview_unavailable`.
    """
    if verdict.ok:
        return
    if verdict.code == "file_missing":
        raise missing
    if verdict.code in _DECODER_BUSY:
        raise Unavailable(verdict.message, code="preview_unavailable")
    raise NotFound(f"There is no small picture: {verdict.message}", code="preview_impossible", hint=hint)
