"""What every section of the settings is: frozen, and closed to unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A table of `outfield.toml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)
