"""The schema of the ShotGrid site that tests talk to, in the words of `schema_field_read`.

It has the fields that a new site has, and the studio-made ones that the default mapping of Outfield asks for.
"""

from __future__ import annotations

from typing import Any

TASK_STATUSES = ("wtg", "rdy", "ip", "rev", "fin", "hld", "omt")
SHOT_STATUSES = (*TASK_STATUSES, "cbb")
VERSION_STATUSES = ("na", "rev", "vwd", "apr")
TIERS = ("1_Tier", "2_Tier", "3_Tier")

NAME_FIELDS = {"Task": "content", "Project": "name", "HumanUser": "name", "ApiUser": "firstname"}
"""The field that a link shows as its name; `code` for every other kind."""

Fields = dict[str, dict[str, Any]]


def field(data_type: str, *, mandatory: bool = False, **properties: Any) -> dict[str, Any]:
    """One field as the wire describes it; `properties` are e.g. `valid_values` and `valid_types`."""

    def said(value: Any, editable: bool = False) -> dict[str, Any]:
        return {"value": value, "editable": editable}

    known = {"default_value": None, "summary_default": "none", **properties}
    return {
        "name": said("", True),
        "description": said("", True),
        "entity_type": said(""),
        "data_type": said(data_type),
        "editable": said(True),
        "mandatory": said(mandatory),
        "unique": said(False),
        "visible": said(True, True),
        "properties": {name: said(value, name.startswith("valid")) for name, value in known.items()},
    }


def new_schema() -> dict[str, Fields]:
    """A schema of one's own: kinds to fields. Change it as a site's administrator would."""
    kinds = {
        "Project": _project(),
        "Sequence": _work("code", statuses=TASK_STATUSES, sg_priority=field("number")),
        "Shot": _work(
            "code",
            statuses=SHOT_STATUSES,
            sg_sequence=field("entity", valid_types=["Sequence"]),
            sg_priority=field("list", valid_values=["High", "Medium", "Low"]),
            sg_due_date=field("date"),
        ),
        "Asset": _work("code", statuses=TASK_STATUSES, sg_asset_type=field("text")),
        "Task": _work(
            "content",
            statuses=TASK_STATUSES,
            entity=field("entity", valid_types=["Shot", "Asset", "Sequence"]),
            sg_priority_1=field("list", valid_values=list(TIERS)),
            due_date=field("date"),
            start_date=field("date"),
            task_assignees=field("multi_entity", valid_types=["HumanUser"]),
        ),
        "Version": _version(),
        "Playlist": _work(
            "code", versions=field("multi_entity", valid_types=["Version"]), sg_date_and_time=field("date_time")
        ),
        "HumanUser": {**_every(), "login": field("text"), "name": field("text")},
        "ApiUser": {**_every(), "firstname": field("text")},
        "EventLogEntry": {
            **_every(),
            "event_type": field("text"),
            "attribute_name": field("text"),
            "description": field("text"),
            "entity": field("entity", valid_types=[]),
            "project": field("entity", valid_types=["Project"]),
            "meta": field("serializable"),
            "session_uuid": field("uuid"),
        },
    }
    for kind, fields in kinds.items():
        for name, described in fields.items():
            described["name"]["value"] = name.removeprefix("sg_").replace("_", " ").title()
            described["entity_type"]["value"] = kind
    return kinds


def _every() -> Fields:
    return {
        "id": field("number"),
        "created_at": field("date_time"),
        "updated_at": field("date_time"),
        "created_by": field("entity", valid_types=["HumanUser", "ApiUser"]),
        "updated_by": field("entity", valid_types=["HumanUser", "ApiUser"]),
    }


def _work(name: str, *, statuses: tuple[str, ...] = (), **more: dict[str, Any]) -> Fields:
    """What belongs to a project: a name, a description, perhaps a status."""
    found = {
        **_every(),
        name: field("text", mandatory=True),
        "description": field("text"),
        "project": field("entity", valid_types=["Project"], mandatory=True),
        "image": field("image"),
        **more,
    }
    if statuses:
        found["sg_status_list"] = field("status_list", valid_values=list(statuses))
    return found


def _project() -> Fields:
    return {
        **_every(),
        "name": field("text", mandatory=True),
        "sg_status": field("list", valid_values=["Active", "Bidding", "Lost", "Hold"]),
        "archived": field("checkbox"),
        "sg_priority": field("number"),
        "image": field("image"),
    }


def _version() -> Fields:
    return _work(
        "code",
        statuses=VERSION_STATUSES,
        entity=field("entity", valid_types=["Shot", "Asset", "Sequence"]),
        sg_task=field("entity", valid_types=["Task"]),
        user=field("entity", valid_types=["HumanUser", "ApiUser"]),
        frame_range=field("text"),
        frame_count=field("number"),
        sg_first_frame=field("number"),
        sg_last_frame=field("number"),
        sg_path_to_frames=field("text"),
        sg_path_to_movie=field("text"),
        sg_uploaded_movie=field("url"),
        sg_review_date=field("date"),
        sg_core_hours=field("float"),
        sg_cost_usd=field("float"),
        playlists=field("multi_entity", valid_types=["Playlist"]),
    )
