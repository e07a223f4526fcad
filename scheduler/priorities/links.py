"""What a message hangs on: the Project, Shot and Task that a job names, asked of the site itself.

The cache that ranking uses may be old, and may not hold what a job of yesterday named; a write must not rest on it.
"""

from __future__ import annotations

from typing import Any

from scheduler.domain.versions import VersionLinks
from scheduler.priorities.chains import Reference
from scheduler.priorities.client import Record, Site
from scheduler.priorities.troubles import Trouble


class NotThere(Trouble):
    """The tracker does not have what the job names."""

    code = "tracker_entity_unknown"
    hint = "Correct the name in the tracker or submit with the right one, then `outfield shotgrid retry`."
    fault = True


def find_links(site: Site, reference: Reference) -> VersionLinks:
    """The entities that a job names.

    Raises:
        NotThere: the project or the task that is named is not in the tracker.
        Trouble: the site cannot be asked.
    """
    if reference.task_id is not None:
        return _by_task(site, reference.task_id)
    project = _first(site.find("Project", [["name", "is", reference.project]], ["name"], archived=False, limit=1))
    if project is None:
        raise NotThere(f"There is no project {reference.project!r} in ShotGrid, or it is archived.")
    link = _link(project)
    entity = _named(site, "Shot", reference.shot, link) or _named(site, "Sequence", reference.sequence, link)
    task = _task(site, reference.task, link, entity) if reference.task else None
    return VersionLinks(link, entity, task)


def links_of(kept: dict[str, Any]) -> VersionLinks:
    """Links as they were remembered in the steps of a message."""
    return VersionLinks(kept["project"], kept.get("entity"), kept.get("task"))


def kept_links(links: VersionLinks) -> dict[str, Any]:
    """Links as they are remembered."""
    return {"project": links.project, "entity": links.entity, "task": links.task}


def _by_task(site: Site, number: int) -> VersionLinks:
    task = _first(site.find("Task", [["id", "is", number]], ["project", "entity"], archived=False, limit=1))
    if task is None:
        raise NotThere(f"There is no Task {number} in ShotGrid, or its project is archived.")
    project, entity = task.get("project"), task.get("entity")
    if not isinstance(project, dict):
        raise NotThere(f"Task {number} belongs to no project in ShotGrid.")
    return VersionLinks(_link(project), _link(entity) if isinstance(entity, dict) else None, _link(task))


def _named(site: Site, kind: str, name: str | None, project: Record) -> Record | None:
    if not name:
        return None
    found = _first(site.find(kind, [["project", "is", project], ["code", "is", name]], ["code"], limit=1))
    return _link(found) if found else None


def _task(site: Site, name: str, project: Record, entity: Record | None) -> Record | None:
    filters: list[Any] = [["project", "is", project], ["content", "is", name]]
    if entity is not None:
        filters.append(["entity", "is", entity])
    found = site.find("Task", filters, ["content"], limit=2)
    return _link(found[0]) if len(found) == 1 else None


def _first(found: list[Record]) -> Record | None:
    return found[0] if found else None


def _link(entity: Any) -> Record:
    return {"type": entity["type"], "id": entity["id"]}
