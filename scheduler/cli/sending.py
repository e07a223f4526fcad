"""Sending one submission: the scene uploaded if it must be, then the job, under one idempotency key."""

from __future__ import annotations

import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from scheduler.cli.client import Client
from scheduler.cli.hashing import CHUNK_BYTES, file_hash
from scheduler.cli.outbox import Submission
from scheduler.cli.submission import said, scene_in
from scheduler.errors import NotFound


def send(client: Client, submission: Submission) -> dict[str, Any]:
    """Submit; returns the job as the API describes it.

    Raises:
        NotFound: the scene is not there any more. Refused and others: as the scheduler says.
    """
    body = dict(submission.body)
    if submission.bundle is not None:
        return _send_bundle(client, Path(submission.bundle), body, submission.key)
    if submission.upload is not None:
        body["scene"] = upload(client, Path(submission.upload))
    return client.post("/new_job", body, key=submission.key).data


def upload(client: Client, scene: Path) -> str:
    """Bring a file into the farm's storage unless it is there; returns it as a scene.

    Raises:
        NotFound: there is no such file.
    """
    if not scene.is_file():
        raise NotFound(f"The scene {scene} is not there.", code="scene_missing", hint="Check the path.")
    digest = file_hash(scene)
    if not client.has(f"/blobs/{digest}"):
        client.put_file(f"/blobs/{digest}", scene)
    return f"blob:{digest}/{scene.name}"


def _send_bundle(client: Client, bundle: Path, body: dict[str, Any], key: str) -> dict[str, Any]:
    if not bundle.exists():
        raise NotFound(f"The bundle {bundle} is not there.", code="scene_missing", hint="Check the path.")
    if bundle.is_file():
        return client.post_file("/jobs/new", bundle, body, key=key).data
    with TemporaryDirectory(prefix="outfield-bundle-") as folder:
        archive = Path(folder) / f"{bundle.name}.zip"
        pack(bundle, archive)
        fields = said({"scene": scene_in(bundle)} | body)
        return client.post_file("/jobs/new", archive, fields, key=key).data


def pack(folder: Path, archive: Path) -> None:
    """A zip of everything in a folder, the same bytes for the same files: names sorted, times left out."""
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED, allowZip64=True) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                entry = zipfile.ZipInfo(path.relative_to(folder).as_posix())
                with path.open("rb") as source, target.open(entry, "w", force_zip64=True) as copy:
                    while chunk := source.read(CHUNK_BYTES):
                        copy.write(chunk)
