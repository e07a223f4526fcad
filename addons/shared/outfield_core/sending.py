# SPDX-License-Identifier: Apache-2.0
"""From a submission in the spool to a job on the farm: hash, seal, post, upload what the farm lacks, post again.

The farm says which files it lacks, so a second submission of unchanged files costs one request. What is posted is
sealed on the disk first: after a death, the very same is posted under the same key, and the farm makes no second job.
"""

from __future__ import annotations

import hashlib
import os
import time
from io import BytesIO
from typing import Any, Callable, Dict, Iterator, List, Optional

from .client import Client
from .errors import Cancelled, Denied, FarmError, Refused, Unreachable
from .hashing import HashCache, file_hash, unreadable
from .layout import lay_out
from .spool import Claim, Kept, Spool

ROUNDS_MAX = 6
"""Times that the farm may ask for more: the manifest, the files, and what changed meanwhile."""


class Watch:
    """How the sending thread talks to whoever draws: plain attributes, written by one thread and read by another."""

    def __init__(self) -> None:
        self.stage, self.done_bytes, self.total_bytes, self.note = "waiting", 0, 0, ""
        self.cancel_asked = False

    def begin(self, stage: str, total_bytes: int, note: str = "") -> None:
        """A new stage: `hashing`, `asking` or `uploading`."""
        self.done_bytes, self.total_bytes, self.note, self.stage = 0, total_bytes, note, stage

    def advance(self, count: int) -> None:
        """So many bytes more are done with."""
        self.done_bytes += count

    def cancelled(self) -> bool:
        """Has the artist pressed Cancel?"""
        return self.cancel_asked

    @property
    def fraction(self) -> float:
        """Share of the stage that is done, 0 to 1."""
        return min(1.0, self.done_bytes / self.total_bytes) if self.total_bytes else 0.0


class Outcome:
    """What became of one submission: the job, or the error that stands in the way."""

    def __init__(self, kept: Kept, job: Optional[Dict[str, Any]] = None, error: Optional[FarmError] = None) -> None:
        self.kept, self.job, self.error = kept, job, error


def flush(spool: Spool, client: Client, cache: HashCache, watch_for: Callable[[Kept], Watch]) -> Iterator[Outcome]:
    """Send everything that is kept for this farm, oldest first; stops when the farm cannot be reached.

    Each gets a watch of its own; its Cancel takes it out of the spool, and the others are sent.
    """
    for kept in spool.waiting(client.server):
        claim = spool.claim(kept)
        if claim is None:
            continue
        try:
            job = send(claim, client, cache, watch_for(kept))
        except (Unreachable, Denied) as error:
            claim.release()
            yield Outcome(kept, error=error)
            return
        except Cancelled as error:
            claim.done()
            yield Outcome(kept, error=error)
        except FarmError as error:
            claim.refuse({"message": error.message, "hint": error.hint, "code": error.code})
            yield Outcome(kept, error=error)
        except BaseException:
            claim.release()
            raise
        else:
            claim.done()
            yield Outcome(kept, job=job)
        finally:
            cache.save()


def send(claim: Claim, client: Client, cache: HashCache, watch: Watch) -> Dict[str, Any]:
    """Bring one submission to the farm; returns the job as the farm describes it.

    Raises:
        Unreachable, Denied: try again later. Cancelled. Refused, LocalTrouble: it will not work.
    """
    sealed = claim.sealed()
    for _ in range(ROUNDS_MAX):
        if sealed is None:
            sealed = _seal(claim, cache, watch)
        watch.begin("asking", 0)
        try:
            job = client.post("/new_job", sealed["body"], key=claim.kept.key)
        except Refused as error:
            if error.code != "bundle_incomplete":
                raise
            missing = [str(digest) for digest in error.details.get("missing", [])]
            if not _bring(client, sealed, missing, cache, watch):
                sealed = None  # a file was changed since: the farm has taken nothing yet, so seal anew
            continue
        if not isinstance(job, dict) or "jobID" not in job:
            raise Refused("The farm's answer names no job.", code="not_outfield", hint="Check the farm's address.")
        return job
    raise Refused(
        "The files of the scene keep changing while they are sent.",
        code="files_changing",
        hint="Wait until nothing writes to them any more and submit again.",
    )


def _seal(claim: Claim, cache: HashCache, watch: Watch) -> Dict[str, Any]:
    """Hash everything, and write down exactly what will be sent."""
    content = claim.kept.content
    body = dict(content["body"])
    if not content.get("scene"):
        sealed = {"body": body, "manifest": "", "sources": {}}
        claim.seal(sealed)
        return sealed
    layout = lay_out(str(content["origin"]), [str(path) for path in content.get("files", [])])
    local = dict(layout.sources)
    local[layout.scene] = os.path.join(claim.kept.folder, str(content["scene"]))
    hashes = _hash_all(local, cache, watch)
    manifest = layout.manifest(hashes)
    digest = hashlib.sha256(manifest).hexdigest()
    sources = {hashes[place]: path for place, path in local.items()}
    body["scene"] = "bundle:" + digest
    sealed = {"body": body, "manifest": manifest.decode(), "sources": sources}
    claim.seal(sealed)
    return sealed


def _hash_all(local: Dict[str, str], cache: HashCache, watch: Watch) -> Dict[str, str]:
    watch.begin("hashing", _total(local.values()))
    hashes: Dict[str, str] = {}
    for place, path in local.items():
        watch.note = os.path.basename(place)
        hashes[place] = file_hash(path, cache, time.time_ns(), watch.advance, watch.cancelled)
    return hashes


def _bring(client: Client, sealed: Dict[str, Any], missing: List[str], cache: HashCache, watch: Watch) -> bool:
    """Upload what the farm lacks; False when a file is not any more what was sealed."""
    manifest = str(sealed["manifest"]).encode()
    own = hashlib.sha256(manifest).hexdigest()
    sources: Dict[str, str] = sealed["sources"]
    unknown = [digest for digest in missing if digest != own and digest not in sources]
    if unknown or not missing:
        raise Refused("The farm asks for files that this scene does not have.", code="not_outfield")
    paths = [(digest, sources[digest]) for digest in missing if digest != own]
    watch.begin("uploading", _total(path for _, path in paths))
    for digest, path in paths:
        watch.note = os.path.basename(path)
        if file_hash(path, cache, time.time_ns(), cancelled=watch.cancelled) != digest:
            return False
        _upload(client, digest, path, watch)
    if own in missing:
        client.upload("/blobs/" + own, BytesIO(manifest), len(manifest))
    return True


def _upload(client: Client, digest: str, path: str, watch: Watch) -> None:
    try:
        with open(path, "rb") as file:
            client.upload("/blobs/" + digest, file, os.fstat(file.fileno()).st_size, watch.advance, watch.cancelled)
    except OSError as error:
        raise unreadable(path, error) from error


def _total(paths: Any) -> int:
    total = 0
    for path in paths:
        try:
            total += os.stat(path).st_size
        except OSError as error:
            raise unreadable(path, error) from error
    return total
