"""The farm's tables, all of them: for migrations, and for what copies whole databases."""

from __future__ import annotations

from sqlalchemy import Table
from sqlmodel import SQLModel

from scheduler.store import instances, production, sites, tables

MODULES = (tables, production, instances, sites)
"""Whoever imports them has filled the metadata."""

metadata = SQLModel.metadata


def all_tables() -> list[Table]:
    """All tables, those that others refer to first."""
    return list(metadata.sorted_tables)
