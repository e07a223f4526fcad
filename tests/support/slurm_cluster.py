"""A Slurm of one machine for tests: munge, slurmctld and a few slurmd, in one folder, on free ports of loopback.

It needs no systemd and no cgroups, and runs as whoever starts it. The daemons stay in the foreground (`-D`), so that
they are children, ended by their process and never by name.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import psutil
from components import require

START_TRIES = 200
PAUSE_S = 0.05
CALL_S = 20.0
END_S = 60.0

CONFIGURATION = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={base}/munge.sock
CredType=cred/munge
CommunicationParameters=NoCtldInAddrAny,NoInAddrAny
StateSaveLocation={base}/state
SlurmdSpoolDir={base}/spool/%n
SlurmctldPidFile={base}/slurmctld.pid
SlurmdPidFile={base}/slurmd.%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=100000,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
KillWait=5
MinJobAge=300
InactiveLimit=0
SlurmdTimeout=10
{nodes}
PartitionName=farm Nodes=ALL Default=YES PriorityTier=1 State=UP
PartitionName=rush Nodes=ALL PriorityTier=10 State=UP
"""


class SlurmCluster:
    """One cluster with nodes `n1` …; partition `farm` is pre-empted by partition `rush`."""

    def __init__(self, nodes: int = 2, cpus: int = 1) -> None:
        programs = {name: require(name) for name in ("slurmctld", "slurmd", "sbatch", "munged")}
        self.nodes = [f"n{number}" for number in range(1, nodes + 1)]
        self._programs = programs
        # A socket's name is limited to 107 bytes.
        self.base = Path(tempfile.mkdtemp(prefix="ofslurm", dir="/tmp"))
        self.base.chmod(0o755)
        self.conf = self.base / "slurm.conf"
        self._daemons: dict[str, subprocess.Popen[bytes]] = {}
        self._write(cpus)
        try:
            self._start_munge()
            self.start_controller()
            for name in self.nodes:
                self.start_node(name)
            self.until(lambda: self.query("sinfo", "-h", "-o", "%D", "-t", "idle") == str(nodes))
        except BaseException:
            self.stop()
            raise

    # ---- What an administrator does -------------------------------------------------------------------------------

    def call(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one of Slurm's own programs."""
        return subprocess.run(
            command, env=self.environment(), capture_output=True, text=True, timeout=CALL_S, check=False, cwd="/"
        )

    def query(self, *command: str) -> str:
        """What a program says, or nothing where it cannot."""
        return self.call(*command).stdout.strip()

    def down(self, node: str) -> None:
        """Declare a node dead, as an administrator does."""
        done = self.call("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        assert done.returncode == 0, done.stderr

    def up(self, node: str) -> None:
        """Give a node back, and wait until it is free."""
        self.call("scontrol", "update", f"nodename={node}", "state=resume")
        self.until(lambda: self.query("sinfo", "-h", "-n", node, "-o", "%t") == "idle")

    def start_controller(self) -> None:
        """Start slurmctld with the state that it left, if any."""
        self._spawn("slurmctld", [str(self._programs["slurmctld"]), "-D", "-f", str(self.conf)])
        self.until(lambda: "UP" in self.query("scontrol", "ping"))

    def stop_controller(self) -> None:
        """End slurmctld, which saves what it knows.

        Killed, it would begin with old job numbers anew, and a node drains itself that is given one a second time.
        """
        daemon = self._daemons.pop("slurmctld")
        daemon.terminate()
        daemon.wait(END_S)

    def start_node(self, name: str) -> None:
        """Start a node's slurmd."""
        self._spawn(name, [str(self._programs["slurmd"]), "-D", "-N", name, "-f", str(self.conf)])

    def until(self, look: Callable[[], object]) -> None:
        """Look until it is so."""
        pause = threading.Event()
        for _try in range(START_TRIES):
            if look():
                return
            pause.wait(PAUSE_S)
        raise AssertionError(self.log())

    def environment(self) -> dict[str, str]:
        """What Slurm's programs need to find this cluster."""
        return {"PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "HOME": "/", "SLURM_CONF": str(self.conf)}

    def state(self) -> str:
        """Its nodes and its queue, for whoever waits in vain."""
        return "\n".join((self.query("sinfo", "-N", "-l"), self.query("squeue", "-l"), self.log()))

    def log(self) -> str:
        """The last words of every daemon."""
        logs = sorted(self.base.glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs)

    def stop(self) -> None:
        """End everything that was started on this cluster, jobs included, and remove its folder."""
        for daemon in self._daemons.values():  # first, or they would start what waits
            daemon.kill()
            daemon.wait(10)
        while left := self.processes():
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, END_S)
        shutil.rmtree(self.base, ignore_errors=True)

    def processes(self) -> list[psutil.Process]:
        """Every job's process and its keeper, slurmstepd, which has no parent.

        A job has the cluster's configuration in its environment. A keeper writes its title over that, but listens on a
        socket in the cluster's folder.
        """
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "slurmstepd":
                    ours = any(str(self.base) in str(each.laddr) for each in process.net_connections("unix"))
                else:
                    ours = process.environ().get("SLURM_CONF") == str(self.conf)
                if ours:
                    found.append(process)
        return found

    # ---- Starting ---------------------------------------------------------------------------------------------------

    def _write(self, cpus: int) -> None:
        ports = _free_ports(len(self.nodes) + 1)
        host = socket.gethostname().partition(".")[0]
        nodes = "\n".join(
            f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs={cpus} RealMemory=2000"
            for name, port in zip(self.nodes, ports[1:], strict=True)
        )
        user = pwd.getpwuid(os.geteuid()).pw_name
        for folder in ("state", "spool"):
            (self.base / folder).mkdir()
        self.conf.write_text(CONFIGURATION.format(host=host, user=user, ports=ports, base=self.base, nodes=nodes))

    def _start_munge(self) -> None:
        key = self.base / "munge.key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o400)
        places = {"key-file": "munge.key", "socket": "munge.sock", "pid-file": "munged.pid", "seed-file": "munge.seed"}
        flags = [f"--{name}={self.base / place}" for name, place in places.items()]
        self._spawn("munged", [str(self._programs["munged"]), "--foreground", "--force", *flags])
        self.until((self.base / "munge.sock").exists)

    def _spawn(self, name: str, command: list[str]) -> None:
        with (self.base / f"{name}.log").open("ab") as log:
            self._daemons[name] = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environment(), cwd="/"
            )


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _number in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
