"""What a launch on Compute Engine asks for: labels, no public address, limits; what the plan said; places in order."""

from __future__ import annotations

import re
from typing import Any

import pytest
from fake_gce import FakeGce
from gce_pools import START_UP, GceDesk
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.backends.base import LABEL_FARM, LABEL_INTENT, LABEL_POOL, BackendError, InstanceState, LaunchOrder
from scheduler.backends.gce.naming import instance_names, label, labels
from scheduler.backends.gce.places import places, price
from scheduler.backends.gce.properties import instance_properties, own_name
from scheduler.backends.identity import with_identity
from scheduler.settings import GcePool

pytestmark = pytest.mark.gce_client


def asked(gce: FakeGce) -> dict[str, Any]:
    """The properties of the last launch."""
    return gce.sent("bulk_insert")[-1].body["instanceProperties"]


def test_instances_and_their_disks_carry_the_labels(desk: GceDesk) -> None:
    order = desk.order()
    desk.backend(labels={"cost-centre": "shots"}).launch(order)
    wanted = {LABEL_FARM: "farm-a", LABEL_POOL: "burst", LABEL_INTENT: order.intent}
    wanted |= {"outfield-job": "00007", "cost-centre": "shots"}

    assert asked(desk.gce)["labels"] == wanted
    assert asked(desk.gce)["disks"][0]["initializeParams"]["labels"] == wanted


def test_an_intent_that_is_no_label_is_told_exactly_all_the_same(desk: GceDesk) -> None:
    order = desk.order(1, intent="Intent 7/ÄÖ " + "x" * 80)
    (one,) = desk.backend().launch(order)

    assert one.intent == order.intent
    assert [i.intent for i in desk.backend().list()] == [order.intent]


def test_spot_is_deleted_when_it_is_taken_back_or_its_time_is_up(desk: GceDesk) -> None:
    desk.backend().launch(desk.order(1))

    assert asked(desk.gce)["scheduling"] == {
        "provisioningModel": "SPOT",
        "instanceTerminationAction": "DELETE",
        "onHostMaintenance": "TERMINATE",
        "automaticRestart": False,
        "maxRunDuration": {"seconds": "3600"},
    }


def test_standard_has_the_same_limit(desk: GceDesk) -> None:
    desk.backend(provisioning="standard").launch(desk.order(1))
    scheduling = asked(desk.gce)["scheduling"]

    assert scheduling["provisioningModel"] == "STANDARD" and "onHostMaintenance" not in scheduling
    desk.backend(provisioning="standard", machine_type="g2-standard-8").launch(desk.order(1))
    assert asked(desk.gce)["scheduling"]["onHostMaintenance"] == "TERMINATE", "it has a GPU built in"
    assert scheduling["maxRunDuration"] == {"seconds": "3600"}
    assert scheduling["instanceTerminationAction"] == "DELETE"


def test_an_instance_goes_when_its_time_is_up_though_nobody_asks(desk: GceDesk) -> None:
    backend = desk.backend()
    backend.launch(desk.order())
    desk.clock.advance(3599.0)
    assert len(desk.gce.alive()) == 2
    desk.clock.advance(1.0)

    assert desk.gce.alive() == {}
    assert list(backend.list()) == []


def test_there_is_no_public_address_and_no_account_unless_the_pool_says_so(desk: GceDesk) -> None:
    desk.backend().launch(desk.order(1))
    (interface,) = asked(desk.gce)["networkInterfaces"]
    assert interface == {"network": "global/networks/default", "stackType": "IPV4_ONLY"}
    assert "serviceAccounts" not in asked(desk.gce)

    desk.backend(public_address=True, service_account="worker@x").launch(desk.order(1))
    (interface,) = asked(desk.gce)["networkInterfaces"]
    assert interface["accessConfigs"] == [{"name": "External NAT", "type": "ONE_TO_ONE_NAT"}]
    assert asked(desk.gce)["serviceAccounts"][0]["email"] == "worker@x"


@pytest.mark.parametrize(
    ("given_name", "sent"),
    [
        ("render", "projects/studio/regions/us-east1/subnetworks/render"),
        ("projects/host/regions/{region}/subnetworks/r", "projects/host/regions/us-east1/subnetworks/r"),
    ],
)
def test_a_subnetwork_is_that_of_the_region(desk: GceDesk, given_name: str, sent: str) -> None:
    desk.backend(subnetwork=given_name).launch(desk.order(1))

    assert asked(desk.gce)["networkInterfaces"] == [{"subnetwork": sent, "stackType": "IPV4_ONLY"}]


def test_an_instance_boots_with_the_very_script(desk: GceDesk) -> None:
    (one,) = desk.backend().launch(desk.order(1))

    assert desk.gce.alive() == {one.id: with_identity(START_UP, own_name("us-east1-b"))}


def test_a_taken_template_stays_below_ours(desk: GceDesk) -> None:
    desk.gce.project.templates["worker"] = {
        "machineType": "n2-standard-2",
        "labels": {"show": "alpha"},
        "minCpuPlatform": "Intel Ice Lake",
        "metadata": {
            "items": [
                {"key": "proxy", "value": "http://proxy:3128"},
                {"key": "startup-script", "value": "theirs"},
                {"key": "startup-script-url", "value": "gs://theirs"},
            ]
        },
        "networkInterfaces": [{"network": "global/networks/farm", "accessConfigs": [{"type": "ONE_TO_ONE_NAT"}]}],
        "scheduling": {"preemptible": True, "onHostMaintenance": "MIGRATE", "minNodeCpus": 4},
        "disks": [
            {"boot": True, "initializeParams": {"sourceImage": "projects/studio/global/images/worker"}},
            {"autoDelete": False, "initializeParams": {"diskSizeGb": "500"}},
        ],
        "guestAccelerators": [{"acceleratorType": "nvidia-l4", "acceleratorCount": 1}],
    }
    (one,) = desk.backend(instance_template="worker").launch(desk.order(1))
    made = asked(desk.gce)

    assert made["machineType"] == "c3-standard-8" and made["minCpuPlatform"] == "Intel Ice Lake"
    assert made["labels"]["show"] == "alpha" and made["labels"][LABEL_FARM] == "farm-a"
    metadata = {item["key"]: item["value"] for item in made["metadata"]["items"]}
    assert metadata["proxy"] == "http://proxy:3128" and metadata["startup-script"].endswith(START_UP.partition("\n")[2])
    assert "startup-script-url" not in metadata
    assert made["networkInterfaces"] == [{"network": "global/networks/farm", "stackType": "IPV4_ONLY"}]
    assert made["scheduling"]["provisioningModel"] == "SPOT" and made["scheduling"]["minNodeCpus"] == 4
    boot, scratch = made["disks"]
    assert boot["initializeParams"]["sourceImage"] == "projects/studio/global/images/worker"
    assert boot["initializeParams"]["diskSizeGb"] == "60" and boot["autoDelete"] is True
    assert scratch["autoDelete"] is True, "no disk outlives its instance"
    assert made["guestAccelerators"][0]["acceleratorType"] == "nvidia-l4"
    assert one.machine == "c3-standard-8"


def test_a_script_that_is_too_long_is_refused_before_anything_is_started(desk: GceDesk) -> None:
    with pytest.raises(BackendError, match="Google Cloud takes 262144"):
        desk.backend().launch(desk.order(1, start_up="#" * 262_145))

    assert desk.gce.sent("bulk_insert") == []


def test_what_the_plan_said_is_launched(desk: GceDesk) -> None:
    backend = desk.backend()
    plan = backend.plan(3)
    started = backend.launch(desk.order(plan.count))

    assert len(started) == 3
    assert {(i.machine, i.place) for i in started} == {("c3-standard-8", "us-east1-b")}
    assert plan.lines[1].startswith(
        "tried in this order until all are there: c3-standard-8 in us-east1-b (0.1200 USD/h)"
    )
    assert plan.usd_per_hour == pytest.approx(0.36) and "at most 0.36 USD/h together" in plan.lines[2]
    assert plan.lines[4].startswith("no public address")


def test_an_unknown_price_is_said_to_be_so(desk: GceDesk) -> None:
    plan = desk.backend(price_usd_per_hour=0).plan(1)

    assert plan.usd_per_hour == 0 and "price not known" in plan.lines[2]


def test_shapes_are_asked_for_once(desk: GceDesk) -> None:
    backend = desk.backend(machine_types_else=["g2-standard-8"])
    for _round in range(3):
        offers = backend.offers()

    assert [(o.machine, o.place, o.vcpus, o.memory_gib, o.gpus) for o in offers[:3:2]] == [
        ("c3-standard-8", "us-east1-b", 8, 32.0, 0),
        ("g2-standard-8", "us-east1-b", 8, 32.0, 1),
    ]
    assert len(desk.gce.sent("machine_type")) == 4
    assert {offer.loss_per_hour for offer in offers} == {0.05}
    assert {offer.loss_per_hour for offer in desk.backend(provisioning="standard").offers()} == {0.0}


def test_where_google_cloud_never_answered_it_is_asked_once_a_minute(desk: GceDesk) -> None:
    backend = desk.backend()
    desk.gce.fail("machine_type", 403, "rateLimitExceeded", times=2)
    for _round in range(3):
        with pytest.raises(BackendError):
            backend.offers()
    assert len(desk.gce.sent("machine_type")) == 1
    desk.clock.advance(61.0)
    with pytest.raises(BackendError):
        backend.offers()
    desk.clock.advance(61.0)

    assert len(backend.offers()) == 2


def test_a_machine_type_that_does_not_exist_is_named(desk: GceDesk) -> None:
    with pytest.raises(BackendError, match="m9-huge"):
        desk.backend(machine_type="m9-huge").offers()


# ---- Places, names, labels: pure -----------------------------------------------------------------------------------


def pool(**changes: object) -> GcePool:
    values: dict[str, object] = {"project": "p", "zones": ["us-east1-b", "us-east1-c", "us-west1-a"]}
    return GcePool.model_validate(values | changes)


def test_the_most_exact_price_counts() -> None:
    one = pool(
        price_usd_per_hour=9.0,
        prices_usd_per_hour={"us-east1-b/c3-standard-8": 1.0, "us-east1/c3-standard-8": 2.0, "us-west1": 5.0},
    )

    assert [price(one, zone, "c3-standard-8") for zone in one.zones] == [1.0, 2.0, 5.0]
    assert price(one, "us-east1-b", "n2-standard-8") == 9.0
    assert (
        price(pool(prices_usd_per_hour={"n2-standard-8": 3.0, "us-east1-b": 4.0}), "us-east1-b", "n2-standard-8") == 3.0
    )


def test_the_cheapest_place_of_the_preferred_type_comes_first_and_the_empty_ones_last() -> None:
    one = pool(machine_types_else=["n2-standard-8"], prices_usd_per_hour={"us-east1": 0.2, "us-west1": 0.1})
    order = [(place.machine_type[:2], place.zone) for place in places(one)]
    assert order[:4] == [("c3", "us-west1-a"), ("c3", "us-east1-b"), ("c3", "us-east1-c"), ("n2", "us-west1-a")]

    empty = {("us-west1-a", "c3-standard-8"): 100.0}
    assert places(one, empty, 200.0)[-1].zone == "us-west1-a"
    assert places(one, empty, 700.0) == places(one), "ten minutes later it is tried first again"
    assert [place.zone for place in places(pool(cheapest_first=False))] == ["us-east1-b", "us-east1-c", "us-west1-a"]


@settings(max_examples=100)
@given(st.text(max_size=120), st.text(max_size=120))
def test_labels_are_safe_and_told_apart(one: str, other: str) -> None:
    assert re.fullmatch(r"[a-z0-9_-]{0,63}", label(one))
    assert (label(one) == label(other)) == (one == other)
    assert all(re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) for name in labels({one: other}))


@settings(max_examples=50)
@given(st.text(max_size=80), st.text(max_size=80), st.integers(1, 50))
def test_names_follow_from_the_order_and_are_names(farm: str, intent: str, count: int) -> None:
    names = instance_names(farm, "burst", intent, count)

    assert names == instance_names(farm, "burst", intent, count + 1)[:count]
    assert len(set(names)) == count and all(re.fullmatch(r"[a-z][a-z0-9-]{0,61}[a-z0-9]", name) for name in names)
    assert not set(names) & set(instance_names(farm, "burst", intent + "x", count))


def test_a_life_stays_within_google_clouds_bounds() -> None:
    place = places(pool())[0]
    seconds = [
        instance_properties(pool(), {}, LaunchOrder("i", 1, "", life_s), place, {})["scheduling"]["max_run_duration"]
        for life_s in (1.0, 3600.5, 1e9)
    ]

    assert [found["seconds"] for found in seconds] == [30, 3600, 120 * 86_400]


def test_states_are_the_ports(desk: GceDesk) -> None:
    desk.gce.project.boot_s, desk.gce.project.ending_s = 40.0, 30.0
    backend = desk.backend()
    (one,) = backend.launch(desk.order(1))
    states = [one.state]
    for seconds in (0.0, 25.0, 20.0):
        desk.clock.advance(seconds)
        states.append(backend.list()[0].state)
    backend.terminate([one.id])
    states.append(backend.list()[0].state)

    starting, running = InstanceState.STARTING, InstanceState.RUNNING
    assert states == [starting, starting, starting, running, InstanceState.STOPPING]
    assert one.address.startswith("10.128.") and one.launched_at_s == desk.clock.now().timestamp() - 45.0
