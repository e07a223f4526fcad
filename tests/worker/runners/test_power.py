"""What a machine's power rating is made of."""

from __future__ import annotations

from pathlib import Path

import pytest
from components import require

from worker.runners.blender.power import BlenderNotMeasured, blender_power, blender_rating
from worker.runners.kernel.power import REFERENCE_RAYS_PER_S, ThreadPower, kernel_power, kernel_rating, thread_counts
from worker.runners.power import load_power, measure_power, save_power


@pytest.mark.parametrize(
    ("vcpus", "counts"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 3]), (8, [1, 2, 4, 8]), (12, [1, 2, 4, 8, 12])]
)
def test_every_doubling_of_threads_is_measured(vcpus, counts):
    assert thread_counts(vcpus) == counts


def test_the_rating_is_of_one_vcpu_when_all_work():
    measured = [ThreadPower(1, REFERENCE_RAYS_PER_S), ThreadPower(4, 3 * REFERENCE_RAYS_PER_S)]
    assert kernel_rating(measured, 4) == pytest.approx(0.75)


def test_the_kernel_is_measured():
    found = kernel_power(1, repeat=1)
    assert [power.threads for power in found] == [1]
    assert found[0].rays_per_s > 0


def test_blender_is_measured_where_it_is():
    require("blender")
    found = blender_power(1)
    assert found is not None
    assert blender_rating(found) > 0


def test_a_machine_without_blender_has_a_rating_all_the_same(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.delenv("OUTFIELD_BLENDER__EXECUTABLES", raising=False)
    measured = measure_power(1, 1)
    assert measured["blender"] is None
    assert measured["rating"] > 0


def test_a_blender_that_fails_is_named(monkeypatch, tmp_path: Path):
    fake = tmp_path / "blender"
    fake.write_text('#!/bin/sh\ncase "$1" in --version) echo "Blender 4.2.0";; *) echo "no display"; exit 3;; esac\n')
    fake.chmod(0o755)
    monkeypatch.setenv("OUTFIELD_BLENDER__EXECUTABLES", str(fake))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(BlenderNotMeasured, match="ended with 3: no display"):
        blender_power(1)


def test_what_was_measured_is_kept(tmp_path: Path):
    assert load_power(tmp_path) is None
    save_power(tmp_path / "new", {"rating": 1.5})
    assert load_power(tmp_path / "new") == {"rating": 1.5}
    (tmp_path / "new" / "bench.json").write_text("{")
    assert load_power(tmp_path / "new") is None
