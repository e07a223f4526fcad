"""`outfield deploy` and `outfield teardown`: nothing before the plan was shown and agreed to; then all of it, once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable, Iterator

import pytest
from fake_amazon import REGION, amazon
from fake_google import FakeGoogle
from typer.testing import Result

from scheduler.settings import AwsPool, GcePool

Run = Callable[..., Result]
GCE = ("gce", "--project", "show-1", "--zone", "europe-west1-b", "--farm", "studio")


@pytest.fixture
def google() -> Iterator[FakeGoogle]:
    with FakeGoogle() as fake:
        yield fake


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    with amazon() as url:
        yield url


def test_a_dry_run_shows_plan_and_price_and_does_nothing(outfield: Run, google: FakeGoogle) -> None:
    done = outfield("deploy", *GCE, "--endpoint", google.url, "--start-scheduler", "--dry-run")
    assert done.exit_code == 0, done.stderr
    for piece in ("network", "router", "firewall-scheduler", "worker-account", "bucket", "scheduler"):
        assert piece in done.stdout
    assert "0.0376" in done.stdout and "USD an hour" in done.stderr
    assert google.things == {}


def test_nobody_is_asked_without_a_terminal(outfield: Run, google: FakeGoogle) -> None:
    done = outfield("deploy", *GCE, "--endpoint", google.url)
    assert done.exit_code == 2
    assert "--yes" in done.stderr
    assert google.things == {}


def test_google_there_and_back(outfield: Run, google: FakeGoogle) -> None:
    done = outfield("deploy", *GCE, "--endpoint", google.url, "--yes", "--start-scheduler")
    assert done.exit_code == 0, done.stderr
    assert len(google.things) == 9
    settings = tomllib.loads(done.stdout[done.stdout.index("[pools.gce]") :])["pools"]["gce"]
    assert settings["service_account"] == "of-studio-w@show-1.iam.gserviceaccount.com"
    known = {key: value for key, value in settings.items() if key in GcePool.model_fields}
    assert GcePool(**known).zones == ("europe-west1-b",)

    again = outfield("deploy", *GCE, "--endpoint", google.url, "--start-scheduler")
    assert again.exit_code == 0, "nothing to ask"
    assert "Everything is there already" in again.stderr

    gone = outfield("teardown", *GCE, "--endpoint", google.url, "--yes")
    assert gone.exit_code == 0, gone.stderr
    assert google.things == {}
    nothing = outfield("teardown", *GCE, "--endpoint", google.url)
    assert nothing.exit_code == 0 and "Nothing of this farm" in nothing.stderr


def test_amazon_there_and_back(outfield: Run, aws: str) -> None:
    where = ("aws", "--region", REGION, "--farm", "studio", "--endpoint", aws)
    done = outfield("--json", "deploy", *where, "--yes", "--no-nat")
    assert done.exit_code == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["pieces"]["vpc"].startswith("vpc-")
    settings = tomllib.loads("\n".join(said["settings"]))["pools"]["aws"]
    assert settings["security_groups"] == [said["pieces"]["security-group"]]
    known = {key: value for key, value in settings.items() if key in AwsPool.model_fields}
    assert AwsPool(**known).region == REGION

    look = outfield("teardown", *where, "--dry-run")
    assert look.exit_code == 0 and look.stdout.count("remove") == len(said["pieces"])
    gone = outfield("--json", "teardown", *where, "--yes")
    assert gone.exit_code == 0, gone.stderr
    assert sorted(json.loads(gone.stdout)["removed"]) == sorted(said["pieces"].values())


def test_a_network_that_is_used_is_left_whole(outfield: Run, google: FakeGoogle) -> None:
    outfield("deploy", *GCE, "--endpoint", google.url, "--yes")
    link = "projects/show-1/regions/europe-west1/subnetworks/outfield-studio-subnetwork"
    google.things["instances", "burst-1"] = {"id": "7", "name": "burst-1", "networkInterfaces": [{"subnetwork": link}]}
    before = dict(google.things)
    done = outfield("teardown", *GCE, "--endpoint", google.url, "--yes")
    assert done.exit_code == 1
    assert "still run in it" in done.stderr and "workers_max" in done.stderr
    assert google.things == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--farm", "Studio X"), "cannot name"),
        (("--price", "router"), "write it as"),
        (("--price", "router=-1"), "no price"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    outfield: Run, google: FakeGoogle, words: tuple[str, ...], message: str
) -> None:
    done = outfield("deploy", *GCE, "--endpoint", google.url, "--dry-run", *words)
    assert done.exit_code != 0
    assert message in done.stderr
    assert google.calls == []
