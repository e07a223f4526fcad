"""The shapes of what is sent and answered about routing rules."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from scheduler.api.shapes import Shape
from scheduler.routing.reading_rule import NOTE_CHARS_MAX


class RulesShape(Shape):
    """The rules in force. `troubles` maps rules that cannot work here to the reason."""

    rules: list[dict[str, Any]]
    version: int = Field(description="0: this farm has no rules yet")
    syntax: str
    author: str
    note: str
    created_at: str | None
    troubles: dict[str, str]


class RuleVersionShape(Shape):
    """A version in the history; `rules` is how many it has."""

    version: int
    rules: int
    syntax: str
    author: str
    note: str
    created_at: str


class RulesTextShape(Shape):
    """A version as it was written."""

    version: int
    text: str
    rules: list[dict[str, Any]]
    syntax: str
    author: str
    note: str
    created_at: str


class RulesInText(BaseModel):
    """Rules as text."""

    model_config = ConfigDict(extra="forbid")

    text: str
    syntax: Literal["toml", "yaml", "json"] = "toml"
    version: int | None = Field(default=None, ge=0, strict=True)
    note: str = Field(default="", max_length=NOTE_CHARS_MAX)


class RollBack(BaseModel):
    """Going back to an old version."""

    model_config = ConfigDict(extra="forbid")

    expected: int | None = Field(default=None, ge=0, strict=True, description="the version that must be in force")


class NewRuleSet(BaseModel):
    """New rules: `rules` as objects, or `text` with its `syntax`."""

    rules: list[dict[str, Any]] | None = None
    text: str | None = None
    syntax: Literal["toml", "yaml", "json"] | None = None
    version: int | None = Field(default=None, description="the version that the change was made to")
    note: str | None = None


RULE_BODIES = (NewRuleSet, RollBack)
