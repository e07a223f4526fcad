"""What goes along with a job whose scene is a bundle: every file of it, each once, and the manifest."""

from __future__ import annotations

import hashlib

import msgspec
import pytest

from scheduler.errors import Refused
from scheduler.objects.opening import local_storage
from scheduler.protocol.bundles import FORMAT, Bundle
from scheduler.service.packing import Sender, pack
from scheduler.settings import LimitSettings, SitePool
from scheduler.store.blobs import BlobStore
from scheduler.store.tables import Job

SITE = SitePool(url="https://branch.example")


@pytest.fixture
def blobs(tmp_path) -> BlobStore:
    return BlobStore(local_storage(tmp_path / "data"), tmp_path / "incoming")


def keep(blobs: BlobStore, content: bytes) -> str:
    incoming = blobs.incoming(size_max=10**6, free_min=0)
    incoming.write(content)
    digest = incoming.finish()
    blobs.adopt(incoming.path, digest)
    return digest


def job_with(scene: dict[str, object]) -> Job:
    return Job(
        id=1, name="n", status="QUEUED", renderer="blender", frames="1", frame_count=1, format="png", scene=scene,
        settings={}, requires={}, tracking={}, extra={}, payload={}, pools=[], submitted_at=0.0,
    )  # fmt: skip


def test_a_bundle_goes_along_whole(blobs):
    scene, wood = keep(blobs, b"BLENDER"), keep(blobs, b"wood")
    places = {"shot.blend": scene, "tex/wood.png": wood, "tex/copy.png": wood}
    manifest = keep(blobs, msgspec.json.encode(Bundle(FORMAT, "shot.blend", places)))
    packed = pack(job_with({"bundle": manifest, "name": "shot.blend"}), "1", Sender("f1", "home"), SITE, blobs,
                  LimitSettings())  # fmt: skip

    assert packed.payload["scene"] == f"bundle:{manifest}"
    assert {each["hash"]: each["size"] for each in packed.manifest[:-1]} == {scene: 7, wood: 4}
    assert packed.manifest[-1]["hash"] == manifest, "the other farm gets the manifest when all its files are there"


def test_a_bundle_that_is_not_whole_any_more_is_told(blobs):
    missing = hashlib.sha256(b"gone").hexdigest()
    manifest = keep(blobs, msgspec.json.encode(Bundle(FORMAT, "shot.blend", {"shot.blend": missing})))

    with pytest.raises(Refused, match="not whole"):
        pack(job_with({"bundle": manifest}), "1", Sender("f1", "home"), SITE, blobs, LimitSettings())


def test_a_cost_cap_goes_along_and_nothing_in_its_place(blobs):
    capped, free = job_with({}), job_with({})
    capped.cost_cap_usd = 2.5

    assert pack(capped, "1", Sender("f1", "home"), SITE, blobs, LimitSettings()).payload["cost_cap_usd"] == 2.5
    assert "cost_cap_usd" not in pack(free, "1", Sender("f1", "home"), SITE, blobs, LimitSettings()).payload
