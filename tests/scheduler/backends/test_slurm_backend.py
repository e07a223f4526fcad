"""The `slurm` backend on a real Slurm of this machine."""

from __future__ import annotations

import itertools
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from backend_rig import Rig
from backend_suite import BackendSuite
from slurm_cluster import SlurmCluster
from waiting import pause, until

from scheduler.backends.base import BackendError, Instance, InstanceState, LaunchOrder, Notice, NoticeKind, Unknown
from scheduler.backends.slurm import SlurmBackend, make_backend
from scheduler.backends.slurm.programs import Programs
from scheduler.errors import Unavailable
from scheduler.settings import SlurmPool

pytestmark = pytest.mark.processes
NODES = 4


LISTENER = """\
import pathlib, signal, sys, time
import subprocess
helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
def heard(number, frame):
    assert helper.poll() is None or number == signal.SIGTERM
    with open("{log}", "a") as log: print(signal.Signals(number).name, file=log)
    if number == signal.SIGTERM: time.sleep(1); print("left", file=open("{log}", "a")); sys.exit(0)
signal.signal(signal.SIGTERM, heard); signal.signal(signal.SIGUSR1, heard)
pathlib.Path("{log}").touch()
while True: signal.pause()
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[SlurmCluster]:
    made = SlurmCluster(nodes=NODES)
    yield made
    made.stop()


@pytest.fixture
def settings(cluster: SlurmCluster, tmp_path: Path) -> SlurmPool:
    return SlurmPool(
        vcpus=1,
        memory_gib=0.1,
        slurm_conf=cluster.conf,
        scratch=tmp_path,
        log_folder=tmp_path,
        sbatch_options=("--comment=mine is kept", "--exclusive"),
    )


@pytest.fixture
def backend(settings: SlurmPool) -> Iterator[SlurmBackend]:
    made = make_backend("cluster", settings, "farm-a")
    yield made
    alive = [each.id for each in made.list() if each.state is not InstanceState.GONE]
    made.terminate(alive)


class TestSlurm(BackendSuite):
    """Everything that is asked of a backend."""

    CANNOT = frozenset({"leave_room_for"})  # Slurm queues instead of refusing

    @pytest.fixture
    def rig(self, cluster: SlurmCluster, settings: SlurmPool) -> Iterator[Rig]:
        backend = make_backend("cluster", settings, "farm-a")
        yield Rig(
            backend,
            reborn=lambda: make_backend("cluster", settings, "farm-a"),
            wait=pause,
            other_farm=lambda: make_backend("cluster", settings, "farm-b"),
            count_max=NODES,
            losing_answers=losing_answers,
            cut_off=lambda: without_controller(cluster, backend),
            preempt=lambda _instance: fill_with_what_goes_first(cluster),
        )
        cluster.call("scancel", "--me", "--partition=rush")


@contextmanager
def losing_answers() -> Iterator[None]:
    """`sbatch` does its work, and is not heard."""
    submit = Programs.submit

    def lost(self: Programs, options: tuple[str, ...], script: str) -> int:
        submit(self, options, script)
        raise Unknown("no answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Programs, "submit", lost)
        yield


@contextmanager
def without_controller(cluster: SlurmCluster, backend: SlurmBackend) -> Iterator[None]:
    """Slurm's programs go on trying for 9 seconds by themselves; the backend does not wait for so long."""
    cluster.stop_controller()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backend._programs, "_limit_s", 0.5)
        began = time.monotonic()
        yield
        assert time.monotonic() - began < 5
    cluster.start_controller()


def fill_with_what_goes_first(cluster: SlurmCluster) -> None:
    options = ("--partition=rush", "--output=/dev/null", f"--array=1-{NODES}", "--wrap=sleep 60")
    assert cluster.call("sbatch", *options).returncode == 0


def running(backend: SlurmBackend, cluster: SlurmCluster, intent: str, count: int = 1) -> list[Instance]:
    def look() -> list[Instance]:
        found = [i for i in backend.list() if i.intent == intent and i.state is InstanceState.RUNNING]
        return found if len(found) == count else []

    return until(look, tell=cluster.state)


def test_a_worker_is_warned_once_then_told_to_go_and_may_take_its_time(
    backend: SlurmBackend, cluster: SlurmCluster, tmp_path: Path
) -> None:
    """The warning goes to the batch script alone, TERM to every process; the shell that starts the worker dies of that.

    The worker has a process of its own that would die of USR1, and stands behind `timeout`, which leads another process
    group and says TERM again.
    """
    log, program = tmp_path / "heard", tmp_path / "listener.py"
    program.write_text(LISTENER.format(log=log))
    backend.launch(LaunchOrder("signals", 1, f"timeout 900 {sys.executable} {program}\necho never\n", 3600.0))
    until(log.exists)
    (instance,) = running(backend, cluster, "signals")
    cluster.call("scancel", "--batch", "--signal=USR1", instance.id)
    until(log.read_text)
    assert log.read_text() == "SIGUSR1\n"
    backend.terminate([instance.id])

    until(lambda: "left" in log.read_text())
    heard = log.read_text().split()
    assert [word for word, _many in itertools.groupby(heard)] == ["SIGUSR1", "SIGTERM", "left"]
    until(lambda: not [path for path in (tmp_path / folder()).iterdir() if path.name.startswith(instance.id)])


def test_a_worker_is_told_who_it_is_and_none_of_the_schedulers_secrets(
    backend: SlurmBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTFIELD_TOKEN", "s3cret")
    monkeypatch.setenv("SBATCH_PARTITION", "nowhere")
    backend.launch(LaunchOrder("it's", 1, f"env > {tmp_path}/env\npwd >> {tmp_path}/env\n", 900.0))
    until(lambda: [each for each in backend.list() if each.intent == "it's" and each.state is InstanceState.GONE])
    text = (tmp_path / "env").read_text()
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    (instance,) = [each for each in backend.list() if each.intent == "it's"]

    assert "s3cret" not in text
    assert told["OUTFIELD_WORKER__LIFE_S"] == "840"
    assert (told["OUTFIELD_WORKER__CLOUD"], told["OUTFIELD_WORKER__INTENT"]) == ("slurm", "it's")
    assert told["OUTFIELD_WORKER__INSTANCE"] == instance.id
    assert told["OUTFIELD_WORKER__NAME"] == f"{instance.address}-{instance.id}"
    assert Path(told["OUTFIELD_WORKER__DATA"]).parent == tmp_path / folder() / instance.id
    assert [each for each in backend.events() if each.intent == "it's"] == []


def test_what_a_killed_worker_leaves_is_wiped_by_the_next_one(
    backend: SlurmBackend, cluster: SlurmCluster, tmp_path: Path
) -> None:
    backend.launch(LaunchOrder("killed", 1, "touch frame; exec sleep 600", 3600.0))
    frame = until(lambda: [*tmp_path.glob(f"{folder()}/*/frame")])[0]
    job = [each for each in cluster.processes() if each.name() != "slurmstepd" and each.cwd() == str(frame.parent)]
    for act in ("suspend", "kill"):  # all at once, as when the machine dies
        for process in job:
            getattr(process, act)()
    until(lambda: [each.state for each in backend.list() if each.intent == "killed"] == [InstanceState.GONE])
    assert frame.exists()
    backend.launch(LaunchOrder("next", 1, "exec sleep 600", 3600.0))
    until(lambda: not frame.parent.exists())

    assert running(backend, cluster, "next")


def test_a_node_that_fails_takes_its_worker_and_is_told(backend: SlurmBackend, cluster: SlurmCluster) -> None:
    backend.launch(LaunchOrder("node", 2, "exec sleep 600", 3600.0))
    lost, stays = running(backend, cluster, "node", 2)
    backend.events()  # what the cluster remembers of other tests
    cluster.down(lost.address)
    told = until(backend.events)
    cluster.up(lost.address)

    assert [(each.kind, each.instance) for each in told] == [(NoticeKind.FAILED, lost.id)]
    assert "node failed" in told[0].message
    assert [each.id for each in running(backend, cluster, "node")] == [stays.id]


def test_what_waits_in_a_full_cluster_is_known_one_by_one(backend: SlurmBackend, cluster: SlurmCluster) -> None:
    """Every second one is cancelled, so that Slurm's list of what waits is longer than the 64 characters it likes."""
    order = LaunchOrder("many", 80, "exec sleep 600", 3600.0)
    made = backend.launch(order)
    running(backend, cluster, "many", NODES)
    backend.terminate([each.id for each in made[10:] if int(each.id.partition("_")[2]) % 2])
    expected = {each.id for each in made[10:] if not int(each.id.partition("_")[2]) % 2}

    def waiting() -> set[str]:
        return {each.id for each in backend.list() if each.intent == "many" and each.state is InstanceState.STARTING}

    until(lambda: {each for each in waiting() if int(each.partition("_")[2]) >= 10} == expected)


def test_a_job_that_nobody_labelled_is_never_cancelled(backend: SlurmBackend, cluster: SlurmCluster) -> None:
    """Job numbers begin anew some day: an old id may be another's job."""
    job = cluster.query("sbatch", "--parsable", "--output=/dev/null", "--array=0", "--wrap=sleep 60")
    backend.terminate([f"{job}_0"])

    assert cluster.query("squeue", "-h", "-j", job)
    cluster.call("scancel", job)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"partition": "nowhere"}, "invalid partition"),
        ({"memory_gib": 9000.0}, "not available"),
        ({"gpus": 1}, "gres"),
        ({"programs": Path("/nowhere")}, "cannot be run"),
    ],
)
def test_what_the_cluster_does_not_have_is_refused_in_its_words(
    settings: SlurmPool, changes: dict[str, object], words: str
) -> None:
    backend = make_backend("cluster", settings.model_copy(update=changes), "farm-a")
    with pytest.raises(BackendError, match=words) as error:
        backend.launch(LaunchOrder(f"refused {words}", 1, "true", 3600.0))

    assert error.value.hint


def test_more_than_one_array_holds_is_told(settings: SlurmPool) -> None:
    backend = make_backend("cluster", settings.model_copy(update={"array_max": 2}), "farm-a")
    assert backend.plan(5).count == 2
    assert len(backend.launch(LaunchOrder("big", 5, "exec sleep 600", 3600.0))) == 2
    (told,) = [each for each in backend.events() if each.kind is NoticeKind.STOCK_OUT]
    backend.terminate([each.id for each in backend.list()])

    assert told == Notice(NoticeKind.STOCK_OUT, "big", "", told.message)
    assert "2 of 5" in told.message


def test_a_script_that_fails_is_told(backend: SlurmBackend) -> None:
    backend.launch(LaunchOrder("broken", 1, "exit 7", 3600.0))
    (told,) = until(lambda: [each for each in backend.events() if each.intent == "broken"])

    assert told.kind is NoticeKind.FAILED
    assert "ended with an error" in told.message


def test_a_folder_of_somebody_else_is_not_used(backend: SlurmBackend, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / folder()).symlink_to(tmp_path / "elsewhere")
    backend.launch(LaunchOrder("trap", 1, f"touch {tmp_path}/ran", 3600.0))
    until(lambda: [each for each in backend.list() if each.intent == "trap" and each.state is InstanceState.GONE])

    assert not (tmp_path / "ran").exists()
    assert [*(tmp_path / "elsewhere").iterdir()] == []


def test_slurm_away_is_said_within_the_time_limit(cluster: SlurmCluster, backend: SlurmBackend) -> None:
    with without_controller(cluster, backend):
        for call in (backend.events, lambda: backend.terminate(["1_0"])):
            with pytest.raises(Unavailable, match="controller"):
                call()


def folder() -> str:
    return f"outfield-{os.getuid()}"
