"""The start-up script: what it says reaches the agent whatever it is, and the machine ends whatever happens."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import components
import pytest
from fake_metadata import FakeMetadata
from hypothesis import example, given, settings
from hypothesis import strategies as st

from scheduler.domain.start_up import SCRIPT_MAX_BYTES, Boot, ScriptTooLong, start_up_script

BOOT = Boot("https://farm.example:8443", "join-code", "burst", "burst-17", 7200.0)
OWN = replace(BOOT, cloud="gce", power_off=True)

AGENT = """#!/bin/sh
read -r code
{ printf 'code=%s\\0arguments=%s\\0' "$code" "$*"; env -0; printf '\\0'; } >>"$SAID"
"""
NOTED = '#!/bin/sh\nread -r up _ </proc/uptime; echo "$up $(basename "$0") $*" >>"$NOTES"\n'


class Machine:
    """A machine without an operating system to end: programs that note how they were called, on a PATH of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder, folder / "bin"
        self.bin.mkdir()
        for name, text in {"outfield": AGENT, "shutdown": NOTED, "outfield-dead-man": NOTED}.items():
            self.program(name, text)

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def run(self, script: str, shell: str = "sh", **environment: str) -> subprocess.CompletedProcess[str]:
        given_ = {"PATH": f"{self.bin}:{os.environ['PATH']}", "OUTFIELD_RUN_AS": "", "HOME": str(self.folder)}
        given_ |= {"SAID": str(self.folder / "said"), "NOTES": str(self.folder / "notes")}
        given_ |= {"OUTFIELD_WORKER__DATA": str(self.folder / "d"), "OUTFIELD_WORKER__CACHE": str(self.folder / "c")}
        return subprocess.run(
            [f"/bin/{shell}"],
            input=script,
            env=given_ | environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def said(self) -> list[dict[str, str]]:
        """What each agent was told: settings by their names, `code` and `arguments`."""
        path = self.folder / "said"
        runs = path.read_bytes().decode().split("\0\0")[:-1] if path.exists() else []
        pairs = [[line.partition("=")[::2] for line in run.split("\0")] for run in runs]
        return [{name.removeprefix("OUTFIELD_WORKER__"): value for name, value in run} for run in pairs]

    def notes(self) -> list[str]:
        path = self.folder / "notes"
        return [line.partition(" ")[2] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("boot", [BOOT, OWN, replace(OWN, package="outfield", index="https://index.example/simple")])
def test_shells_and_their_critic_accept_it(boot: Boot, tmp_path: Path) -> None:
    script = tmp_path / "start-up.sh"
    script.write_text(start_up_script(boot))
    for shell in ("sh", "bash"):
        assert subprocess.run([shell, "-n", script], check=False).returncode == 0
    critic = components.require("shellcheck")
    found = subprocess.run([critic, "--shell=sh", script], capture_output=True, text=True, check=False)
    assert found.stdout == ""
    assert script.stat().st_size < SCRIPT_MAX_BYTES


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_agent_is_told_what_the_farm_says(machine: Machine, shell: str) -> None:
    boot = replace(OWN, slots=3, tags=("gpu", "spot"), ca_pin="sha256:" + "0f" * 32)
    done = machine.run(start_up_script(boot), shell, OUTFIELD_INSTANCE="us-central1-a/burst-17-0001")
    assert done.returncode == 0, done.stderr
    (said,) = machine.said()
    wanted = {
        "SERVER": boot.server, "POOL": "burst", "INTENT": "burst-17", "CLOUD": "gce", "SLOTS": "3", "TAGS": "gpu,spot",
        "INSTANCE": "us-central1-a/burst-17-0001", "NAME": "burst-17-0001", "WIPE_AFTER_S": "45", "code": "join-code",
        "arguments": "worker --join -",
    }  # fmt: skip
    assert (wanted | {"CA_PIN": boot.ca_pin}).items() <= said.items()
    assert "JOIN" not in said, "a renderer could read it in the agent's environment"
    assert int(said["LIFE_S"]) >= 7200


def test_the_machine_ends_with_the_agent_and_leaves_nothing(machine: Machine) -> None:
    machine.run(start_up_script(OWN), OUTFIELD_INSTANCE="z/i")
    notes = machine.notes()
    assert notes[0] == "shutdown -P +120", "before anything else: its last limit"
    assert notes[-1] == "shutdown -P now"
    timer = next(note for note in notes if note.startswith("outfield-dead-man"))
    assert f"--data {machine.folder}/d" in timer and timer.endswith("-- shutdown -P now")
    assert not (machine.folder / "d").exists() and not (machine.folder / "c").exists()


def test_a_machine_on_which_no_agent_can_be_installed_ends(machine: Machine, tmp_path: Path) -> None:
    (machine.bin / "outfield").unlink()
    for name in ("cut", "rm", "id", "mkdir", "dirname", "basename"):
        (machine.bin / name).symlink_to(shutil.which(name) or "")
    done = machine.run(start_up_script(replace(OWN, install="false")), PATH=str(machine.bin), OUTFIELD_INSTANCE="z/i")
    assert done.returncode == 1
    assert "no agent" in done.stderr
    assert machine.notes()[-1] == "shutdown -P now"


def test_an_agent_that_breaks_is_started_again_but_not_for_ever(machine: Machine) -> None:
    machine.program("outfield", '#!/bin/sh\necho "0 agent" >>"$NOTES"\nexit 1\n')
    machine.program("sleep", "#!/bin/sh\n")
    done = machine.run(start_up_script(OWN), OUTFIELD_INSTANCE="z/i")
    assert done.returncode == 1
    assert machine.notes().count("agent") == 3
    assert machine.notes()[-1] == "shutdown -P now"


@pytest.mark.parametrize("boot", [BOOT, replace(OWN, cloud="none")])
def test_what_the_backend_knows_better_stands(machine: Machine, boot: Boot) -> None:
    known = {"LIFE_S": "540", "INTENT": "other", "CLOUD": "slurm", "NAME": "node7-3", "INSTANCE": "3_1"}
    machine.run(start_up_script(boot), **{f"OUTFIELD_WORKER__{key}": value for key, value in known.items()})
    (said,) = machine.said()
    assert known.items() <= said.items()


def test_a_lent_machine_is_never_turned_off(machine: Machine) -> None:
    (machine.folder / "d").mkdir()
    machine.run(start_up_script(BOOT))
    assert machine.notes() == []
    assert (machine.folder / "d").exists(), "who lends it cleans it"
    assert machine.said()[0]["LIFE_S"] == "7200"


def test_a_machine_that_is_to_be_kept_on_is(machine: Machine) -> None:
    machine.run(start_up_script(OWN), OUTFIELD_KEEP_ON="1", OUTFIELD_INSTANCE="z/i")
    assert machine.notes() == []
    assert len(machine.said()) == 1


@pytest.mark.parametrize("cloud", ["gce", "aws"])
def test_the_machine_asks_its_provider_who_it_is(machine: Machine, cloud: str) -> None:
    with FakeMetadata() as metadata:
        metadata.gce |= {"zone": "projects/7/zones/us-central1-a", "name": "burst-0001"}
        metadata.aws["instance-id"] = b"i-0abc"
        machine.run(start_up_script(replace(OWN, cloud=cloud)), OUTFIELD_WORKER__METADATA_URL=metadata.url)
    (said,) = machine.said()
    assert said["INSTANCE"] == {"gce": "us-central1-a/burst-0001", "aws": "i-0abc"}[cloud]


def test_an_agent_is_installed_where_the_image_has_none(machine: Machine) -> None:
    (machine.bin / "outfield").unlink()
    install = f"cp {machine.folder}/agent {machine.bin}/outfield"
    (machine.folder / "agent").write_text(AGENT)
    (machine.folder / "agent").chmod(0o755)
    machine.run(start_up_script(replace(BOOT, install=install)))
    assert len(machine.said()) == 1


def test_certificates_of_the_farm_are_trusted(machine: Machine) -> None:
    pem = "-----BEGIN CERTIFICATE-----\nMIIB'\"$(false)`\\\n-----END CERTIFICATE-----"
    machine.run(start_up_script(replace(BOOT, ca_pem=pem)))
    assert Path(machine.said()[0]["CA_FILE"]).read_text() == pem + "\n"


words = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=60)
lines = words.filter(lambda text: "\n" not in text and text == text.strip())


@settings(max_examples=25)
@given(server=words, join=lines.filter(bool), pool=words, intent=words.filter(bool), tag=words.filter(bool))
@example("'; touch pwned; '", "$(touch pwned)", "`touch pwned`", "\\\n&& touch pwned", '"; touch pwned #')
@example("-n", "-e x", "$HOME", "*", "~")
def test_hostile_values_arrive_as_they_are(
    tmp_path_factory: pytest.TempPathFactory, server: str, join: str, pool: str, intent: str, tag: str
) -> None:
    machine = Machine(tmp_path_factory.mktemp("machine"))
    done = machine.run(start_up_script(Boot(server, join, pool, intent, 60.0, tags=(tag,))))
    (said,) = machine.said()
    assert (said["SERVER"], said["POOL"], said["INTENT"], said["TAGS"]) == (server, pool, intent, tag), done.stderr
    assert said["code"] == join
    assert sorted(path.name for path in machine.folder.iterdir()) == ["bin", "said"]


def test_what_does_not_fit_is_refused() -> None:
    for wrong in ({"server": "x" * 3000}, {"install": "x" * 20_000}, {"pool": "a\0b"}):
        with pytest.raises(ScriptTooLong):
            start_up_script(replace(BOOT, **wrong))


def test_a_script_whose_agent_is_killed_still_ends_its_machine(machine: Machine) -> None:
    machine.program("outfield", "#!/bin/sh\nkill -9 $$\n")
    machine.program("sleep", "#!/bin/sh\n")
    since = time.monotonic()
    machine.run(start_up_script(OWN), OUTFIELD_INSTANCE="z/i")
    assert machine.notes()[-1] == "shutdown -P now"
    assert time.monotonic() - since < 10.0


def test_the_agent_has_no_rights_on_a_machine_of_the_farms_own(machine: Machine) -> None:
    """As root, with stand-ins for what would change this machine."""
    machine.program("id", "#!/bin/sh\ncase $1 in -u) echo 0 ;; -g) echo 997 ;; *) exit 1 ;; esac\n")
    for name in ("useradd", "chown"):
        machine.program(name, NOTED)
    machine.program("setpriv", NOTED + 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"\n')
    machine.run(start_up_script(OWN), OUTFIELD_INSTANCE="z/i", OUTFIELD_RUN_AS="outfield")
    notes = machine.notes()
    assert "useradd --system --no-create-home --shell /usr/sbin/nologin outfield" in notes
    assert f"chown outfield {machine.folder}/d {machine.folder}/c" in notes
    agent = next(note for note in notes if note.startswith("setpriv"))
    wanted = "--reuid=outfield --regid=997 --init-groups --no-new-privs -- outfield worker --join -"
    assert agent == f"setpriv {wanted}"
    assert machine.said()[0]["HOME"] == f"{machine.folder}/d"
