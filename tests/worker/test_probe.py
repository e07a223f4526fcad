"""What a machine has, found quickly and remembered until a program changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from worker import probe as probes
from worker.probe import probe
from worker.runners.registry import RunnerRegistry, RunnerSpec, UnknownRenderer


class CountingRunner:
    """Counts how often it is asked."""

    name = "counting"
    asked = 0

    def versions(self) -> dict[str, Any]:
        CountingRunner.asked += 1
        return {"versions": ["4.2.1"], "path": "/opt/x"}

    def warm(self) -> list[str]:
        return []

    def close(self) -> None:
        pass


class BrokenRunner(CountingRunner):
    """Cannot even be made."""

    def __init__(self) -> None:
        raise OSError("no such library")


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> RunnerRegistry:
    import sys
    import types

    module = types.ModuleType("probed_runners")
    module.__dict__.update(CountingRunner=CountingRunner, BrokenRunner=BrokenRunner)
    monkeypatch.setitem(sys.modules, "probed_runners", module)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(CountingRunner, "asked", 0)
    specs = {
        "counting": RunnerSpec("probed_runners", "CountingRunner", programs=("renderx",)),
        "broken": RunnerSpec("probed_runners", "BrokenRunner"),
        "null": RunnerSpec("worker.runners.null", "NullRunner"),
    }
    return RunnerRegistry(specs=specs)


def test_a_machine_introduces_itself(registry: RunnerRegistry, tmp_path: Path) -> None:
    found = probe(registry, tmp_path, ["big"])
    assert found.vcpus >= 1 and found.memory_gib > 0 and {"linux", "big"} <= {*found.tags, "linux"}
    assert found.renderers == {"counting": ["4.2.1"], "null": ["1"]}, "what cannot be asked is not offered"
    assert found.details["renderers"]["counting"] == {"path": "/opt/x"}
    assert found.details["hostname"] and found.details["numba"]


def test_a_program_is_asked_again_only_when_it_has_changed(registry: RunnerRegistry, tmp_path: Path) -> None:
    program = tmp_path / "renderx"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    for _ in range(3):
        assert probe(registry, tmp_path / "data").renderers["counting"] == ["4.2.1"]
    assert CountingRunner.asked == 1
    program.write_text("#!/bin/sh\n# a new version\n")
    probe(registry, tmp_path / "data")
    assert CountingRunner.asked == 2
    (tmp_path / "data" / probes.FILE_NAME).write_text("{torn")
    probe(registry, tmp_path / "data")
    assert CountingRunner.asked == 3


def test_a_control_group_limits_what_a_worker_offers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000\n")
    (tmp_path / "memory.max").write_text(f"{2**30}\n")
    monkeypatch.setattr(probes, "CGROUP", tmp_path)
    assert (probes.vcpus(), probes.memory_bytes()) == (1, 2**30)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert probes.vcpus() >= 1 and probes.memory_bytes() > 2**20


@pytest.mark.parametrize(("script", "gpus"), [("echo 'GPU 0: A'; echo 'GPU 1: B'", 2), ("exit 9", 0)])
def test_gpus_are_what_the_driver_lists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, gpus: int
) -> None:
    (tmp_path / "nvidia-smi").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert probes.gpus() == gpus
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert probes.gpus() == 0


def test_a_renderer_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(UnknownRenderer, match="There is no renderer 'nuke'; there are blender, kernel, maya, null"):
        RunnerRegistry(["nuke"])
    with pytest.raises(UnknownRenderer):
        RunnerRegistry(["null"]).get("kernel")
