"""A bundle's manifest: read the same by scheduler and worker, and nothing in it leads out or falls on one another."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.protocol import bundles
from scheduler.protocol.bundles import UnsafeBundle, read_bundle

HASH = "0" * 64


def manifest(**changed: Any) -> bytes:
    whole = {"format": 1, "scene": "shot/a.blend", "files": {"shot/a.blend": HASH, "tex/b.png": HASH}, "origins": {}}
    return json.dumps(whole | changed).encode()


def test_a_good_manifest_is_read_as_it_is() -> None:
    bundle = read_bundle(manifest(origins={"/proj/tex": "tex", "c:/proj": ""}))

    assert (bundle.scene, sorted(bundle.files)) == ("shot/a.blend", ["shot/a.blend", "tex/b.png"])
    assert bundle.origins == {"/proj/tex": "tex", "c:/proj": ""}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no scene": ({"scene": "b.blend"}, "bundle_without_scene"),
    "a newer format": ({"format": 2}, "bundle_damaged"),
    "a field that is unknown": ({"mode": 0o777}, "bundle_damaged"),
    "a hash that is none": ({"files": {"shot/a.blend": "A" * 64}}, "bundle_damaged"),
    "up": ({"files": {"shot/a.blend": HASH, "../b": HASH}}, "bundle_unsafe_name"),
    "from the root": ({"files": {"shot/a.blend": HASH, "/etc/passwd": HASH}}, "bundle_unsafe_name"),
    "a drive": ({"files": {"shot/a.blend": HASH, "C:/b": HASH}}, "bundle_unsafe_name"),
    "not in its plain form": ({"files": {"shot/a.blend": HASH, "tex//b": HASH}}, "bundle_unsafe_name"),
    "twice but for case": ({"files": {"shot/a.blend": HASH, "Shot/A.blend": HASH}}, "bundle_duplicate"),
    "a file as a folder": ({"files": {"shot/a.blend": HASH, "shot/a.blend/b": HASH}}, "bundle_duplicate"),
    "an origin that leads out": ({"origins": {"/proj": "../.."}}, "bundle_unsafe_name"),
    "an empty origin": ({"origins": {"": "tex"}}, "bundle_damaged"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_manifest_is_refused_with_its_reason(name: str) -> None:
    changed, code = BAD[name]
    with pytest.raises(UnsafeBundle) as refused:
        read_bundle(manifest(**changed))

    assert refused.value.code == code
    assert refused.value.message.endswith(".")


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"format": 1}', b"\xff", b"[" * 5000])
def test_what_is_no_manifest_is_refused(content: bytes) -> None:
    with pytest.raises(UnsafeBundle) as refused:
        read_bundle(content)

    assert refused.value.code == "bundle_damaged"


def test_sizes_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(bundles, "MANIFEST_BYTES_MAX", 100)
        with pytest.raises(UnsafeBundle, match="larger than 100"):
            read_bundle(manifest())
    monkeypatch.setattr(bundles, "MEMBERS_MAX", 1)
    with pytest.raises(UnsafeBundle, match="more than 1 files"):
        read_bundle(manifest())
