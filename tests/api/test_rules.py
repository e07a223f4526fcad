"""Rules over HTTP: all or nothing, versions, races, roles, and trying them out."""

from __future__ import annotations

import asyncio
import json

import pytest
from api_client import ServedFarm

from scheduler.errors import Refused
from scheduler.service.rulekeeping import NewRules, load_rules, replace_rules
from scheduler.settings import Settings

NDA = {"name": "nda stays home", "when": 'job.tracking.project == "Secret"', "forbid": ["aws", "gce", "branch"]}
BURST = {
    "name": "deadline burst",
    "when": 'job.deadline_slack_s("onprem") < 0 && job.cloud == "allow"',
    "allow": ["aws", "gce"],
}
BAD = {"name": "bad", "when": 'job.nme == "x"', "forbid": ["aws"]}
TOML = '# kept as written\n[[rules]]\nname = "nda"\nwhen = \'job.project == "Secret"\'\ncloud = "never"\n'
YAML = "rules:\n  - name: nda\n    when: job.project == 'Secret'\n    cloud: never\n"


def put(farm: ServedFarm, *rules, role: str = "admin", headers=None, **more):
    return farm.call("PUT", "/rules", role, json={"rules": list(rules), **more}, headers=headers or {})


def test_a_farm_without_rules(served: ServedFarm) -> None:
    data = served.data("GET", "/rules")
    assert (data["rules"], data["version"]) == ([], 0)
    assert served.data("GET", "/rules/history") == []


def test_rules_are_put_and_shown(served: ServedFarm) -> None:
    response = put(served, NDA, BURST)
    assert response.status_code == 200
    assert response.headers["etag"] == '"1"'
    data = served.data("GET", "/rules")
    assert data["rules"] == [NDA, BURST]
    assert (data["version"], data["author"], data["syntax"]) == (1, "admin", "json")
    assert served.farm.book.version == 1
    assert [rule.name for rule in served.farm.book.rules] == ["nda stays home", "deadline burst"]


def test_a_refused_rule_names_its_place_and_changes_nothing(served: ServedFarm) -> None:
    assert put(served, NDA).status_code == 200
    book = served.farm.book
    text = json.dumps({"rules": [NDA, BAD]})
    response = served.call("PUT", "/rules", "admin", content=text, headers={"content-type": "application/json"})
    assert response.status_code == 422
    data = response.json()["data"]
    assert data["code"] == "invalid_rules"
    place = (data["details"]["index"], data["details"]["line"], data["details"]["column"])
    assert place == (1, 1, text.index("nme") + 1)
    assert data["details"]["faults"][0]["name"] == "bad"
    assert "did you mean 'name'" in response.json()["message"]
    assert served.farm.book is book
    assert served.data("GET", "/rules")["version"] == 1
    assert len(served.data("GET", "/rules/history")) == 1


@pytest.mark.parametrize(("media", "text"), [("application/toml", TOML), ("text/yaml; charset=utf-8", YAML)])
def test_raw_text_is_kept_as_it_was_written(served: ServedFarm, media: str, text: str) -> None:
    response = served.call("PUT", "/rules?note=why", "admin", content=text, headers={"content-type": media})
    assert response.status_code == 200, response.text
    shown = served.data("GET", "/rules/history/1")
    assert (shown["text"], shown["note"]) == (text, "why")
    assert shown["rules"] == [{"name": "nda", "when": 'job.project == "Secret"', "cloud": "never"}] or "yaml" in media
    bad = text.replace("project", "projekt")
    refused = served.call("PUT", "/rules", "admin", content=bad, headers={"content-type": media})
    details = refused.json()["data"]["details"]
    before = bad[: bad.index("projekt")]
    assert (details["line"], details["column"]) == (before.count("\n") + 1, len(before) - before.rfind("\n"))


def test_text_in_json(served: ServedFarm) -> None:
    body = {"text": TOML, "syntax": "toml", "note": "n"}
    assert served.call("PUT", "/rules", "admin", json=body).status_code == 200
    assert served.data("GET", "/rules/history/1")["text"] == TOML
    wrong = served.call("PUT", "/rules", "admin", json={**body, "sintax": "x"})
    assert (wrong.status_code, wrong.json()["data"]["code"]) == (422, "unknown_field")


@pytest.mark.parametrize("body", [b"{", b'{"rules": [}', b"[1,2"])
def test_what_is_no_json_is_refused_with_its_place(served: ServedFarm, body: bytes) -> None:
    response = served.call("PUT", "/rules", "admin", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 422
    details = response.json()["data"]["details"]
    assert details["line"] == 1 and details["column"] > 1


@pytest.mark.parametrize(
    "body", [{"rules": 5}, {"rules": [5]}, {"ruels": []}, 7, "x", None, {"rules": [], "version": "1"}]
)
def test_strange_bodies_are_refused(served: ServedFarm, body) -> None:
    assert served.call("PUT", "/rules", "admin", json=body).status_code == 422
    assert served.data("GET", "/rules")["version"] == 0


def test_what_was_got_can_be_put(served: ServedFarm) -> None:
    put(served, NDA)
    got = served.data("GET", "/rules")
    got.pop("troubles")
    got["rules"].append(BURST)
    assert served.call("PUT", "/rules", "admin", json=got).json()["data"]["version"] == 2
    again = served.call("PUT", "/rules", "admin", json=got)
    assert again.status_code == 409, "the version that it was made from is not in force any more"
    assert again.json()["data"]["code"] == "rules_changed"
    assert again.json()["data"]["details"] == {"version": 2}


def test_a_lost_race_is_told(served: ServedFarm) -> None:
    assert put(served, NDA, headers={"If-Match": '"0"'}).status_code == 200
    assert put(served, BURST, headers={"If-Match": '"0"'}).status_code == 409
    assert put(served, BURST, headers={"If-Match": "1"}).status_code == 200
    assert put(served, NDA, headers={"If-Match": "*"}).status_code == 200
    assert put(served, NDA, headers={"If-Match": "x"}).status_code == 422


def test_of_two_at_once_one_wins(served: ServedFarm) -> None:
    async def both():
        wanted = [NewRules(json.dumps({"rules": [rule]}), "json", "a", "", {0}) for rule in (NDA, BURST)]
        return await asyncio.gather(*(replace_rules(served.farm, new) for new in wanted), return_exceptions=True)

    results = served.run(both())
    assert sum(isinstance(result, Exception) for result in results) == 1
    assert served.farm.book.version == 1
    assert [rule.name for rule in served.farm.book.rules] == [served.data("GET", "/rules")["rules"][0]["name"]]


def test_history_and_going_back(served: ServedFarm) -> None:
    put(served, NDA)
    put(served, BURST)
    put(served)
    assert served.farm.book.rules == ()
    back = served.call("POST", "/rules/history/1", "admin")
    assert back.status_code == 200
    assert back.json()["data"]["version"] == 4
    assert back.json()["data"]["rules"] == [NDA]
    versions = served.data("GET", "/rules/history")
    assert [(row["version"], row["rules"]) for row in versions] == [(4, 1), (3, 0), (2, 1), (1, 1)]
    assert versions[0]["note"] == "version 1 again"
    page = served.call("GET", "/rules/history?limit=2")
    assert [row["version"] for row in page.json()["data"]] == [4, 3]
    cursor = page.headers["X-Next-Cursor"]
    assert [row["version"] for row in served.data("GET", f"/rules/history?limit=2&cursor={cursor}")] == [2, 1]
    assert served.call("POST", "/rules/history/99", "admin").status_code == 404
    assert served.call("GET", "/rules/history/x").status_code == 404
    assert served.call("POST", "/rules/history/1", "admin", json={"expected": 3}).status_code == 409
    assert served.call("POST", "/rules/history/1", "admin", headers={"If-Match": "4"}).status_code == 200


def test_only_admins_change_rules(served: ServedFarm) -> None:
    assert put(served, NDA, role="user").status_code == 403
    assert put(served, NDA, role="worker").status_code == 403
    assert served.call("GET", "/rules", "none").status_code == 401
    assert served.call("POST", "/rules/history/1", "user").status_code == 403


def test_rules_come_back_after_a_restart(served: ServedFarm) -> None:
    put(served, NDA, {"name": "b", "allow": ["branch"]})
    served.restart()
    load_rules(served.farm)
    assert served.farm.book.version == 1
    assert [rule.name for rule in served.farm.book.rules] == ["nda stays home", "b"]


def test_the_rules_of_the_settings_are_the_first_version(served: ServedFarm) -> None:
    served.farm.settings = Settings(**{**served.settings.model_dump(), "rules": (NDA,)})
    assert load_rules(served.farm).version == 1
    assert served.data("GET", "/rules")["rules"] == [NDA]
    assert served.data("GET", "/rules")["author"] == "the settings"
    put(served, BURST)
    load_rules(served.farm)
    assert [rule.name for rule in served.farm.book.rules] == ["deadline burst"], "the newest version is in force"


def test_wrong_rules_in_the_settings_are_refused(served: ServedFarm) -> None:
    served.farm.settings = Settings(**{**served.settings.model_dump(), "rules": (NDA, BAD)})
    with pytest.raises(Refused, match="did you mean 'name'") as caught:
        load_rules(served.farm)
    assert caught.value.details["index"] == 1
    assert "outfield rules check" in caught.value.hint


def test_a_pool_that_is_gone_is_told_but_hinders_nothing(served: ServedFarm) -> None:
    settings = served.settings.model_dump()
    served.farm.settings = Settings(**{**settings, "pools": {"far": {"backend": "site", "url": "http://far"}}})
    assert put(served, {"name": "far", "forbid": ["far"]}).status_code == 200
    served.farm.settings = served.settings
    assert "far" in served.data("GET", "/rules")["troubles"]["far"]
    assert load_rules(served.farm).version == 1
    assert put(served, {"name": "far", "forbid": ["far"]}).status_code == 422
    assert served.call("POST", "/rules/history/1", "admin").status_code == 200


def test_trying_a_job_that_does_not_exist(served: ServedFarm) -> None:
    put(served, NDA, {"name": "open", "allow": ["aws"]}, {"name": "home is closed", "forbid": ["onprem"]})
    served.run(served.tick.run())
    told = served.data("POST", "/rules/test", json={"name": "x", "tracking": {"project": "Secret"}})
    assert {"rank", "route", "waiting", "estimate", "tracking"} <= set(told)
    pools = {pool["pool"]: pool for pool in told["route"]["pools"]}
    assert pools["onprem"]["allowed"] is False
    assert "home is closed" in pools["onprem"]["reason"]
    assert told["route"]["chosen"] == []
    assert served.data("GET", "/jobs") == []
    assert served.call("POST", "/rules/test", json={"nmae": "x"}).status_code == 422


def test_the_next_plan_follows_the_new_rules(served: ServedFarm) -> None:
    served.post_job()
    put(served, {"name": "closed", "forbid": ["*"]})
    served.run(served.tick.run())
    assert served.lease() == []
    why = served.data("GET", "/jobs/00001/why")
    assert "rule 'closed' forbids it" in str(why["route"]["pools"])
    assert why["waiting"]
    put(served)
    served.run(served.tick.run())
    assert len(served.lease()) == 1
