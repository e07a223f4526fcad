"""Slurm's programs that hang, fail or mumble: stand-ins in a folder of the test, as the pool's `programs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from scheduler.backends.base import BackendError, LaunchOrder, QuotaExceeded, Unknown
from scheduler.backends.slurm import SlurmBackend, make_backend
from scheduler.backends.slurm.labels import written
from scheduler.backends.slurm.programs import IDS_PER_CALL
from scheduler.errors import Unavailable
from scheduler.settings import SlurmPool

NOTHING = """echo '{"jobs": [], "errors": []}'"""
ORDER = LaunchOrder("i1", 2, "true", 3600.0)
LABELS = written({"outfield-farm": "f", "outfield-pool": "p", "outfield-intent": "i1"})

Cluster = Callable[..., SlurmBackend]


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    def make(call_s: float = 20.0, **programs: str) -> SlurmBackend:
        for name, script in ({"squeue": NOTHING} | programs).items():
            (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
            (tmp_path / name).chmod(0o755)
        return make_backend("p", SlurmPool(programs=tmp_path, call_s=call_s), "f")

    return make


def waiting(tasks: str) -> str:
    """A `squeue` that knows our array of waiting tasks."""
    record = f'"array_job_id": 7, "array_task_string": "{tasks}", "job_state": "PENDING", "comment": "{LABELS}"'
    return f"""echo '{{"errors": [], "jobs": [{{{record}}}]}}'"""


def test_a_launch_is_what_sbatch_says(cluster: Cluster) -> None:
    backend = cluster(sbatch="cat > /dev/null; echo '42;cluster'")

    assert [each.id for each in backend.launch(ORDER)] == ["42_0", "42_1"]


@pytest.mark.parametrize("script", ["exec sleep 5", "echo welcome to the cluster", "kill -9 $$"])
def test_an_sbatch_that_gives_no_answer_may_have_submitted(cluster: Cluster, script: str) -> None:
    with pytest.raises(Unknown):
        cluster(1.0, sbatch=script).launch(ORDER)


def test_after_an_unknown_outcome_the_queue_is_asked_first(cluster: Cluster, tmp_path: Path) -> None:
    backend = cluster(1.0, sbatch=f"echo x >> {tmp_path}/submitted; exec sleep 5")
    with pytest.raises(Unknown):
        backend.launch(ORDER)
    cluster(squeue=waiting("0-1"))

    assert [each.id for each in backend.launch(ORDER)] == ["7_0", "7_1"]
    assert (tmp_path / "submitted").read_text() == "x\n"


def test_an_sbatch_that_refuses_says_why(cluster: Cluster) -> None:
    said = "sbatch: error: Batch job submission failed: Job violates accounting/QOS policy"
    with pytest.raises(QuotaExceeded, match="violates accounting"):
        cluster(sbatch=f"cat > /dev/null; echo '{said}' >&2; exit 1").launch(ORDER)


def test_nothing_is_submitted_while_the_queue_cannot_be_read(cluster: Cluster, tmp_path: Path) -> None:
    backend = cluster(squeue="echo down >&2; exit 1", sbatch=f"touch {tmp_path}/submitted; echo 1")
    with pytest.raises(Unavailable, match="down"):
        backend.launch(ORDER)

    assert not (tmp_path / "submitted").exists()


@pytest.mark.parametrize(
    ("script", "words"), [("exec sleep 5", "within 1 s"), ("echo no permission >&2; exit 1", "no permission")]
)
def test_a_scancel_that_fails_is_said_to_have(cluster: Cluster, script: str, words: str) -> None:
    with pytest.raises(Unavailable, match=words):
        cluster(1.0, squeue=waiting("0"), scancel=script).terminate(["7_0"])


def test_a_job_that_went_meanwhile_is_no_error(cluster: Cluster) -> None:
    said = "scancel: error: Kill job error on job id 7_0: Invalid job id specified"

    cluster(squeue=waiting("0"), scancel=f"echo '{said}' >&2; exit 1").terminate(["7_0"])


def test_many_are_cancelled_in_several_calls(cluster: Cluster, tmp_path: Path) -> None:
    backend = cluster(squeue=waiting("0-1199"), scancel=f"shift; echo $# >> {tmp_path}/calls")
    backend.terminate([f"7_{index}" for index in range(1200)])

    assert (tmp_path / "calls").read_text().split() == [str(IDS_PER_CALL)] * 2 + ["200"]


def test_programs_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"squeue` cannot be run: No such file") as error:
        make_backend("p", SlurmPool(programs=tmp_path / "none"), "f").list()

    assert error.value.code == "slurm_missing"
