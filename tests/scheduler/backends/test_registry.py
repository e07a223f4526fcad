"""The registry: backends by name, imported late, and what is said when one cannot be."""

from __future__ import annotations

import subprocess
import sys
import typing
from types import ModuleType

import pytest
from memory_cloud import MemoryBackend, MemoryCloud

from scheduler.backends import registry
from scheduler.backends.registry import BACKENDS, BackendMissing, make, makes_instances
from scheduler.clock import ManualClock
from scheduler.settings import AwsPool, GcePool, OnpremPool, PoolSettings, SitePool
from scheduler.settings.pool import Backend as BackendName


def module_with(**names: object) -> ModuleType:
    module = ModuleType("scheduler.backends.aws")
    vars(module).update(names)
    return module


def test_every_backend_of_the_settings_makes_instances_but_site() -> None:
    assert {*BACKENDS, "site"} == {*typing.get_args(BackendName)}
    assert makes_instances(OnpremPool())
    assert not makes_instances(SitePool(url="https://sister.example"))


def test_a_pool_gets_its_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = MemoryCloud(ManualClock())

    def make_backend(pool: str, settings: PoolSettings, farm_id: str) -> MemoryBackend:
        assert isinstance(settings, AwsPool)
        return MemoryBackend(cloud, pool, farm_id)

    monkeypatch.setitem(sys.modules, "scheduler.backends.aws", module_with(make_backend=make_backend))
    made = make("burst", AwsPool(region="eu-west-1"), "farm-a")

    assert isinstance(made, MemoryBackend)
    assert (made.pool, made.farm) == ("burst", "farm-a")


def test_a_missing_sdk_is_named_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def make_backend(pool: str, settings: PoolSettings, farm_id: str) -> MemoryBackend:
        raise ModuleNotFoundError("No module named 'google.cloud'", name="google.cloud")

    monkeypatch.setitem(sys.modules, "scheduler.backends.gce", module_with(make_backend=make_backend))

    with pytest.raises(BackendMissing) as caught:
        make("burst", GcePool(project="p", zones=("z",)), "farm-a")

    assert caught.value.message == ("Pool 'burst' needs Google Compute Engine, but google.cloud cannot be imported.")
    assert caught.value.hint == "Install it beside Outfield: pip install google-cloud-compute"
    assert caught.value.details["missing"] == "google.cloud"


def test_a_missing_module_is_a_broken_installation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "PACKAGE", "scheduler.no_such_package")

    with pytest.raises(BackendMissing, match=r"scheduler\.no_such_package") as caught:
        make("office", OnpremPool(), "farm-a")

    assert "outfield doctor" in caught.value.hint


def test_a_site_makes_no_instances() -> None:
    with pytest.raises(BackendMissing, match="makes no instances") as caught:
        make("sister", SitePool(url="https://sister.example"), "farm-a")

    assert "aws" in caught.value.hint and "site" not in caught.value.hint


def test_the_registry_imports_no_sdk() -> None:
    code = (
        "import sys, scheduler.backends.registry, scheduler.bootstrap.running;"
        "print([m for m in ('boto3', 'botocore', 'google.cloud.compute_v1', 'opencue_proto') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert done.stdout.strip() == "[]"
