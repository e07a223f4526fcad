"""The compose file and the image's recipe, read as data: nothing here can start containers."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import components
import pytest
import source_tree
import yaml

FOLDER = source_tree.ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose" / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
RECIPE = (FOLDER / "Dockerfile").read_text()
CLI = (source_tree.ROOT / "docs" / "reference" / "cli.md").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_closed(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["cap_drop"] == ["ALL"] or name == "postgresql"
    assert not service.get("privileged") and "docker.sock" not in str(service)


def test_nothing_is_reached_from_other_machines() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports == ["127.0.0.1:8000:8000"]


def test_what_is_used_is_declared() -> None:
    assert {volume.partition(":")[0] for s in SERVICES.values() for volume in s.get("volumes", [])} == set(
        COMPOSE["volumes"]
    )
    assert {network for service in SERVICES.values() for network in service["networks"]} == set(COMPOSE["networks"])
    used = {
        each["source"] if isinstance(each, dict) else each for s in SERVICES.values() for each in s.get("secrets", [])
    }
    assert used <= set(COMPOSE["secrets"])
    assert {need for service in SERVICES.values() for need in service.get("depends_on", [])} <= set(SERVICES)


def test_secrets_are_files_and_stand_in_no_environment() -> None:
    for service in SERVICES.values():
        for key, value in service.get("environment", {}).items():
            secret = re.search(r"PASSWORD|SECRET|TOKEN|KEY", key) is not None
            assert not secret or value.startswith("/run/secrets/"), key
    assert "aws_secret" not in (FOLDER / "compose" / "compose.yaml").read_text()


def test_only_the_scheduler_has_the_stores_keys() -> None:
    assert [name for name, service in SERVICES.items() if "s3-credentials" in service.get("secrets", [])] == [
        "scheduler"
    ]


def test_the_secrets_are_made_once(tmp_path: Path) -> None:
    script = tmp_path / "make-secrets.sh"
    script.write_bytes((FOLDER / "compose" / "make-secrets.sh").read_bytes())
    made: list[dict[str, bytes]] = []
    for _ in range(2):
        subprocess.run(["/bin/sh", script], check=True, capture_output=True, timeout=30)
        made.append({path.name: path.read_bytes() for path in (tmp_path / "secrets").iterdir()})
    assert made[0] == made[1]
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} <= set(made[0])
    config = yaml.safe_load(made[0]["s3-config.json"])
    (credentials,) = config["identities"][0]["credentials"]
    assert credentials["secretKey"] in made[0]["s3-credentials"].decode()
    assert len(credentials["secretKey"]) == 48
    assert (tmp_path / "secrets").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("script", sorted((FOLDER / "compose").glob("*.sh")), ids=lambda path: path.name)
def test_shells_critic_accepts_the_scripts(script: Path) -> None:
    critic = components.require("shellcheck")
    done = subprocess.run([critic, "--shell=sh", script], capture_output=True, text=True, check=False)
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["scheduler", "worker-1", "worker-2"])
def test_commands_are_ones_that_outfield_knows(name: str) -> None:
    words = SERVICES[name]["command"]
    verb = next(word for word in words if not word.startswith("-"))
    section = CLI.partition(f"\n## `outfield {verb}`")[2].partition("\n## ")[0]
    assert section, f"the reference has no {verb}"
    for word in words:
        option = word.partition("=")[0]
        assert not option.startswith("--") or option in section or option == "--server"


def test_the_image_runs_as_a_user_without_rights() -> None:
    users = re.findall(r"^USER (\S+)", RECIPE, re.MULTILINE)
    assert users == ["10001:10001"], "a number, so that the cluster can see that it is not root"
    assert RECIPE.index("\nUSER ") < RECIPE.index("\nENTRYPOINT ")
    assert not re.search(r"^ADD ", RECIPE, re.MULTILINE)
    assert re.search(r"^ENTRYPOINT \[", RECIPE, re.MULTILINE), "a list: signals reach the process itself"


def test_the_image_gets_all_that_the_build_needs_and_nothing_else() -> None:
    project = tomllib.loads((source_tree.ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {*wheel["packages"], *wheel["force-include"], "pyproject.toml", "constraints.txt"}
    needed |= {project["project"]["readme"], *(path.partition("/")[0] for path in project["project"]["license-files"])}
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", RECIPE, re.MULTILINE)
    sources = {word for line in copied for word in line.split()}
    assert needed <= sources
    assert all((source_tree.ROOT / source).exists() for source in sources)
    allowed = {line[1:] for line in (source_tree.ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert sources == allowed
