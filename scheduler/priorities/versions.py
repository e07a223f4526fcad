"""One Version for every finished job, in steps that are remembered one by one.

Find it by its marker, make it if it is not there, fill its fields, send the thumbnail, send the movie. A crash after
any step leaves the next start to go on there; a Version whose creation was not remembered is found by the marker in its
description (or by the studio's own key field), so that no job ever has two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from scheduler.domain.outbox import marker
from scheduler.domain.versions import (
    MOVIE_FIELD,
    THUMBNAIL_FIELD,
    SiteField,
    VersionFacts,
    VersionFields,
    VersionLinks,
    refreshed,
    version_fields,
)
from scheduler.priorities.chains import Reference
from scheduler.priorities.client import Record
from scheduler.priorities.links import NotThere, find_links, kept_links, links_of
from scheduler.priorities.material import Material, Pictures, Studio
from scheduler.priorities.messages import Mailbox, Message, Outcome
from scheduler.priorities.site_thread import SiteThread
from scheduler.priorities.troubles import Trouble
from scheduler.settings.tracking import WriteBackSettings

VERSION = "Version"

SCHEMA_KEEP_S = 900.0
"""How long the site's schema of Versions is believed. A refusal makes it be read again at once."""


@dataclass
class VersionWriter:
    """Delivers messages about Versions."""

    mailbox: Mailbox
    site: SiteThread
    studio: Studio
    settings: WriteBackSettings
    schema: Mapping[str, SiteField] | None = None
    schema_at_s: float = 0.0

    async def deliver(self, message: Message) -> Outcome:
        """Go on with a message where it was left.

        Raises:
            Trouble: the site cannot be reached, or refuses.
            Superseded: the message was dropped or queued anew meanwhile.
        """
        links = await resolve_links(self.mailbox, self.site, message)
        material = await self.studio.material(message.job, message.key, self.mailbox.now_s())
        pictures = await self.studio.pictures(material)
        notes = await self._write(message, links, material, pictures)
        await self._upload(message, THUMBNAIL_FIELD, pictures)
        await self._upload(message, MOVIE_FIELD, pictures)
        return Outcome(words=" ".join([*notes, *pictures.notes]))

    async def _write(self, message: Message, links: VersionLinks, material: Material, pictures: Pictures) -> list[str]:
        """The Version exists and its fields are filled when this returns; what was left out of them is noted."""
        facts = replace(material.facts, movie=str(pictures.movie) if pictures.movie else None)
        if "version" not in message.steps:
            found = await self._find(message.key, facts.code, links)
            if found is not None:
                await self.mailbox.remember(message, version=found)
        if message.steps.get("filled"):
            return []
        fields = self._fields(facts, links, await self._schema())
        try:
            version = await self._put(message, fields)
        except Trouble as trouble:
            if not await self._schema_changed(trouble, fields):
                raise
            fields = self._fields(facts, links, await self._schema())
            version = await self._put(message, fields)
        await self.mailbox.remember(message, version=version, filled=True)
        return fields.notes

    def _fields(self, facts: VersionFacts, links: VersionLinks, schema: Mapping[str, SiteField]) -> VersionFields:
        extra = {str(fact): name for fact, name in self.settings.extra.items()}
        mark = marker(facts.key)
        return version_fields(facts, links, schema, status=self.settings.version_status, extra=extra, mark=mark)

    async def _put(self, message: Message, fields: VersionFields) -> int:
        if "version" in message.steps:
            number = int(message.steps["version"])
            await self.site.call(lambda site: site.update(VERSION, number, refreshed(fields)))
            return number
        made = await self.site.call(lambda site: site.create(VERSION, fields.values, ["code"]))
        return int(made["id"])

    async def _find(self, key: str, code: str, links: VersionLinks) -> int | None:
        """The number of the Version that carries this key, if it is there."""
        own = self.settings.extra.get("key")
        schema = await self._schema()
        wanted: list[Any] = [["code", "is", code], ["description", "contains", marker(key)]]
        own = own if own in schema else None
        if own:
            wanted.append([own, "is", key])
        filters = [["project", "is", links.project], {"filter_operator": "any", "filters": wanted}]
        fields = ["description", *([own] if own else [])]
        found = await self.site.call(lambda site: site.find(VERSION, filters, fields))
        ours = [row for row in found if marker(key) in str(row.get("description")) or (own and row.get(own) == key)]
        return min((int(row["id"]) for row in ours), default=None)

    async def _upload(self, message: Message, field: str, pictures: Pictures) -> None:
        path = pictures.thumbnail if field == THUMBNAIL_FIELD else pictures.movie
        if path is None or message.steps.get(field) or field not in await self._schema():
            return
        number = int(message.steps["version"])
        await self.site.call(lambda site: site.upload(VERSION, number, path, field))
        await self.mailbox.remember(message, **{field: True})

    async def _schema(self, *, anew: bool = False) -> Mapping[str, SiteField]:
        now_s = self.mailbox.now_s()
        if self.schema is None or anew or not 0 <= now_s - self.schema_at_s < SCHEMA_KEEP_S:
            self.schema = site_fields(await self.site.call(lambda site: site.fields(VERSION)))
            self.schema_at_s = now_s
        return self.schema

    async def _schema_changed(self, trouble: Trouble, fields: VersionFields) -> bool:
        """Was a write refused because a field has gone, or takes other values, since the schema was read?"""
        if not trouble.fault:
            return False
        before = self.schema or {}
        after = await self._schema(anew=True)
        return any(before.get(name) != after.get(name) for name in fields.values)


async def resolve_links(mailbox: Mailbox, site: SiteThread, message: Message) -> VersionLinks:
    """What a message hangs on; asked for once, then remembered."""
    if "links" in message.steps:
        return links_of(message.steps["links"])
    reference = Reference.of(message.payload["reference"])
    if reference is None:
        raise NotThere("The job names no project and no task.")
    links = await site.call(lambda there: find_links(there, reference))
    await mailbox.remember(message, links=kept_links(links))
    return links


def site_fields(described: Record) -> dict[str, SiteField]:
    """The fields that can be written, from the words of `schema_field_read`."""
    return {
        name: SiteField(str(_value(field, "data_type") or ""), tuple(_valid(field)))
        for name, field in described.items()
        if isinstance(field, dict) and _value(cast("Record", field), "editable") is not False
    }


def _value(field: Record, name: str) -> Any:
    said = field.get(name)
    return cast("Record", said).get("value") if isinstance(said, dict) else None


def _valid(field: Record) -> list[str]:
    """The values that a list or a status may have. Links name kinds under another word."""
    found = _value(cast("Record", field.get("properties") or {}), "valid_values")
    return [str(value) for value in cast("list[Any]", found)] if isinstance(found, list) else []
