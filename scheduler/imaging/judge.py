"""Turns what was expected and what was found into a verdict in plain words. Pure."""

from __future__ import annotations

from typing import Final

from scheduler.imaging.facts import FORMAT_NAMES, OK, Expectation, Format, ImageFacts, Verdict

_ARTICLES: Final[dict[Format, str]] = {"png": "a", "jpg": "a", "exr": "an"}


def judge(facts: ImageFacts, expect: Expectation) -> Verdict:
    """Is an image that decodes the one that was asked for? Format first, then size, then samples that are NaN."""
    if facts.format != expect.format:
        message = f"The file is {_named(facts.format)} image where {_named(expect.format)} was asked for."
        return Verdict(False, facts, "wrong_format", message)
    if not _fits(facts.width, expect.width) or not _fits(facts.height, expect.height):
        asked = f"{expect.width or 'any width'}×{expect.height or 'any height'}"
        message = f"The image is {facts.width}×{facts.height} where {asked} was asked for."
        return Verdict(False, facts, "wrong_size", message)
    if facts.nan_ratio > 0.0 and not expect.nan_allowed:
        message = f"{_percent(facts.nan_ratio)} of the image's samples are not numbers (NaN)."
        return Verdict(False, facts, "has_nan", message)
    return Verdict(True, facts, OK, f"A whole {facts.width}×{facts.height} {FORMAT_NAMES[facts.format]} image.")


def _named(kind: Format) -> str:
    return f"{_ARTICLES[kind]} {FORMAT_NAMES[kind]}"


def _fits(found: int, asked: int | None) -> bool:
    return asked is None or asked == found


def _percent(ratio: float) -> str:
    return f"{ratio:.1%}" if ratio >= 0.001 else "Less than 0.1%"
