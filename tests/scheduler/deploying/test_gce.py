"""Google's hands: the real client over HTTP, made whole, found again, gone on with after a failure, removed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_google import FakeGoogle, error

from scheduler.deploying.design import Change, Design, to_make, to_remove
from scheduler.deploying.gce import GceHands
from scheduler.deploying.gce_design import ORDER, GceChoices, gce_design, project_name
from scheduler.deploying.hands import make_all, remove_all
from scheduler.errors import Denied, Refused, Unavailable

ZONE = "europe-west1-b"


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        yield fake


@pytest.fixture
def hands(google: FakeGoogle) -> GceHands:
    return GceHands("studio", "show-1", ZONE, endpoint=google.url)


def design(**choices: Any) -> Design:
    return gce_design(GceChoices("studio", "show-1", "europe-west1", ZONE, **choices))


def silent(_change: Change) -> None: ...


def test_everything_is_made_found_and_removed(hands: GceHands, google: FakeGoogle) -> None:
    plan = design(start_scheduler=True)
    said: list[Change] = []
    ids = make_all(plan, hands, said.append)

    assert [change.piece for change in said] == [piece.name for piece in plan.pieces]
    assert {found.piece: found.id for found in hands.find()} == ids
    assert {change.action for change in to_make(plan, hands.find())} == {"there"}
    assert {operation["status"] for operation in google.operations.values()} == {"DONE"}, "each was waited for"

    remove_all(to_remove(ORDER, hands.find()), hands, silent)
    assert google.things == {}
    assert hands.find() == []


def test_nobody_can_enter_and_nothing_is_public(hands: GceHands, google: FakeGoogle) -> None:
    make_all(design(start_scheduler=True), hands, silent)
    (firewall,) = google.of_kind("firewalls")
    assert firewall["sourceRanges"] == ["10.78.0.0/20"]
    assert firewall["allowed"] == [{"IPProtocol": "tcp", "ports": ["8000"]}]
    assert firewall["targetServiceAccounts"] == ["of-studio-s@show-1.iam.gserviceaccount.com"]
    (template,), (instance,) = google.of_kind("instanceTemplates"), google.of_kind("instances")
    for machine in (template["properties"], instance):
        assert ["accessConfigs" in nic for nic in machine["networkInterfaces"]] == [False]
        assert machine["shieldedInstanceConfig"]["enableSecureBoot"] is True
        assert machine["labels"]["outfield-deploy"] == "studio"
    assert template["properties"]["scheduling"]["instanceTerminationAction"] == "DELETE"
    assert template["properties"]["serviceAccounts"][0]["email"].startswith("of-studio-w@")
    assert instance["serviceAccounts"][0]["email"].startswith("of-studio-s@")
    script = next(item["value"] for item in instance["metadata"]["items"] if item["key"] == "startup-script")
    assert "outfield-scheduler.service" in script
    (bucket,) = google.of_kind("buckets")
    assert bucket["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    (network,) = google.of_kind("networks")
    assert network["autoCreateSubnetworks"] is False


def test_without_nat_there_is_no_way_out(hands: GceHands, google: FakeGoogle) -> None:
    make_all(design(nat=False), hands, silent)
    assert google.of_kind("routers") == []
    (subnetwork,) = google.of_kind("subnetworks")
    assert subnetwork["privateIpGoogleAccess"] is True


@pytest.mark.parametrize("kind", ["subnetworks", "firewalls", "instances"])
def test_it_goes_on_where_it_was_refused(hands: GceHands, google: FakeGoogle, kind: str) -> None:
    google.refuse[f"POST {kind}"] = error(400, "Quota exceeded")
    with pytest.raises(Refused, match="Quota exceeded"):
        make_all(design(start_scheduler=True), hands, silent)
    del google.refuse[f"POST {kind}"]
    google.calls.clear()
    ids = make_all(design(start_scheduler=True), hands, silent)
    assert len(ids) == 9
    assert google.calls.count("POST networks") == 0
    assert google.calls.count(f"POST {kind}") == 1


def test_what_is_used_is_kept(hands: GceHands, google: FakeGoogle) -> None:
    ids = make_all(design(), hands, silent)
    google.objects[ids["bucket"]] = ["frames/0001.exr"]
    link = "projects/show-1/regions/europe-west1/subnetworks/outfield-studio-subnetwork"
    google.things["instances", "burst-1"] = {"id": "7", "name": "burst-1", "networkInterfaces": [{"subnetwork": link}]}
    kept = {change.piece: change.words for change in to_remove(ORDER, hands.find()) if change.action == "keep"}
    assert set(kept) == {"bucket", "subnetwork"}
    assert "1 instances" in kept["subnetwork"] and "blobs or frames" in kept["bucket"]


def test_what_has_our_name_and_not_our_words_is_left_alone(hands: GceHands, google: FakeGoogle) -> None:
    google.things["networks", "outfield-studio"] = {"id": "3", "name": "outfield-studio", "description": "mine"}
    assert hands.find() == []
    with pytest.raises(Refused, match="already exists"):
        make_all(design(), hands, silent)


def test_an_operation_that_fails_is_told(hands: GceHands, google: FakeGoogle) -> None:
    failed = {"id": "9", "name": "o", "status": "DONE", "error": {"errors": [{"code": "QUOTA", "message": "No room"}]}}
    google.refuse["POST networks"] = (200, json.loads(json.dumps(failed)))
    with pytest.raises(Refused, match="No room") as refused:
        make_all(design(), hands, silent)
    assert refused.value.code == "quota"


@pytest.mark.parametrize(("status", "kind"), [(403, Denied), (503, Unavailable), (400, Refused)])
def test_refusals_are_said_in_words(hands: GceHands, google: FakeGoogle, status: int, kind: type[Exception]) -> None:
    google.refuse["DELETE networks"] = error(status, "not now")
    make_all(design(), hands, silent)
    with pytest.raises(kind, match="not now"):
        remove_all(to_remove(ORDER, hands.find()), hands, silent)


def test_without_credentials_it_is_said_how_to_log_in(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("NO_GCE_CHECK", "true")  # do not look for a metadata service
    with pytest.raises(Denied, match="does not know who you are") as denied:
        GceHands("studio", "show-1", ZONE)
    assert "gcloud auth application-default login" in denied.value.hint


@pytest.mark.parametrize("name", ["", "A", "show 1", "x/../y", "a" * 60])
def test_projects_that_are_none(name: str) -> None:
    with pytest.raises(Refused, match="no project"):
        project_name(name)
