"""HTTPS from end to end: the farm's own authority, workers with certificates, and everybody else refused."""

from __future__ import annotations

import json
import os
import re
import ssl
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

OUTFIELD = (sys.executable, "-m", "scheduler.cli.main")


@dataclass
class SecureFarm:
    """`outfield init`, then `outfield up` with one local worker."""

    folder: Path
    pin: str
    url: str

    @property
    def token(self) -> str:
        return (self.folder / "admin.token").read_text().strip()

    def client(self, **options: object) -> httpx.Client:
        context = ssl.create_default_context(cafile=self.folder / "tls" / "ca.pem")
        for certificate, key in [options.pop("certificate", (None, None))]:
            if certificate is not None:
                context.load_cert_chain(certificate, key)
        return httpx.Client(base_url=self.url, verify=context, timeout=30)

    def outfield(self, *words: object, **environment: str) -> subprocess.CompletedProcess[str]:
        known = {"OUTFIELD_SERVER": self.url, "OUTFIELD_TOKEN": self.token}
        known["OUTFIELD_CA_FILE"] = str(self.folder / "tls" / "ca.pem")
        command = [*OUTFIELD, *map(str, words)]
        return subprocess.run(
            command, env=os.environ | known | environment, capture_output=True, text=True, timeout=90, check=False
        )


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureFarm]:
    folder = tmp_path_factory.mktemp("secure") / "farm"
    made = subprocess.run(
        [*OUTFIELD, "--json", "init", "--data", str(folder), "--host", "127.0.0.1"],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    pin = json.loads(made.stdout)["ca_pin"]
    command = [*OUTFIELD, "up", "--config", str(folder / "outfield.toml"), "--port", "0", "--workers", "1"]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.match(r"outfield ready (https://\S+)", line)
    assert found, (line, (folder / "log").read_text())
    yield SecureFarm(folder, pin, found[1])
    process.terminate()
    assert process.wait(60) == 0


def test_a_job_renders_over_https_with_a_certified_worker(farm: SecureFarm) -> None:
    done = farm.outfield("submit", "--name", "hello", "--wait")

    assert done.returncode == 0, done.stderr
    with farm.client() as client:
        frame = client.get(
            f"/jobs/{done.stdout.split()[0]}/frames/1", headers={"Authorization": f"Bearer {farm.token}"}
        )
    assert (frame.status_code, frame.content[:4]) == (200, b"\x89PNG")


def test_a_workers_token_without_its_certificate_is_refused(farm: SecureFarm) -> None:
    assert farm.outfield("submit", "--name", "joined", "--wait").returncode == 0
    own = farm.folder / "workers" / "1"
    identity = json.loads((own / "identity.json").read_text())
    headers = {"Authorization": f"Bearer {identity['token']}"}
    with farm.client() as client:
        bare = client.post(f"/workers/{identity['worker']}/sync", json={"want": 0}, headers=headers)
    with farm.client(certificate=(own / "worker.pem", own / "worker.key")) as client:
        shown = client.post(f"/workers/{identity['worker']}/sync", json={"want": 0}, headers=headers)

    assert (bare.status_code, bare.json()["data"]["code"]) == (403, "certificate_required")
    assert shown.status_code == 200


def test_a_worker_with_the_wrong_pin_does_not_join(farm: SecureFarm, tmp_path: Path) -> None:
    code = farm.outfield("token", "new", "--role", "worker", "--quiet").stdout.split()[0]
    wrong = "sha256:" + "0" * 64
    data = ("--data", tmp_path / "w")
    tried = farm.outfield("worker", "--server", farm.url, "--join", code, "--ca-pin", wrong, *data, OUTFIELD_CA_FILE="")

    assert tried.returncode == 4
    assert "is not the one with the pin" in tried.stderr
    assert not (tmp_path / "w" / "ca.pem").exists()


def test_whoever_does_not_know_the_authority_does_not_talk_to_the_farm(farm: SecureFarm) -> None:
    tried = farm.outfield("jobs", OUTFIELD_CA_FILE="")

    assert tried.returncode == 5
    assert "certificate" in tried.stderr.lower()


def test_the_join_command_tells_the_pin(farm: SecureFarm) -> None:
    assert farm.pin in farm.outfield("token", "new", "--role", "worker").stderr
