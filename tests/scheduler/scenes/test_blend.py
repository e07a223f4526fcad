"""The version of a .blend, from its first bytes."""

from __future__ import annotations

import gzip
import subprocess
import zlib
from pathlib import Path

import pytest
import zstandard
from components import require
from hypothesis import given
from hypothesis import strategies as st

from scheduler.scenes.blend import HEAD_BYTES, NotBlend, blend_version
from scheduler.scenes.intake import look_at_scene

HEADERS = {
    b"BLENDER_v248REND": "2.48",
    b"BLENDER-v279RENDH": "2.79",
    b"BLENDER-V290RENDH": "2.90",
    b"BLENDER-v300RENDH": "3.0",
    b"BLENDER-v304RENDH": "3.4",
    b"BLENDER-v405RENDH": "4.5",
    b"BLENDER17-01v0500": "5.0",
    b"BLENDER17-01v0502": "5.2",
    b"BLENDER17-01v1203": "12.3",
}
PACKERS = {
    "plain": lambda data: data,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "zstd in frames": lambda data: zstandard.compress(data[:9]) + zstandard.compress(data[9:]),
}


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("packer", ["plain", "gzip", "zstd"])
def test_the_version_is_read(header: bytes, packer: str) -> None:
    assert blend_version(PACKERS[packer](header + bytes(5000))) == HEADERS[header]


def test_a_plain_file_must_have_its_end_mark() -> None:
    whole = b"BLENDER-v304RENDH" + bytes(100) + b"ENDB" + bytes(20)

    assert blend_version(whole, whole[-64:]) == "3.4"
    with pytest.raises(NotBlend, match="end mark"):
        blend_version(whole[:100], whole[:100][-64:])


@pytest.mark.parametrize("packer", ["plain", "gzip", "zstd"])
@pytest.mark.parametrize("header", [b"BLENDER-v304", b"BLENDER17-01v0502"])
def test_a_truncated_header_is_refused(header: bytes, packer: str) -> None:
    for length in range(len(header)):
        with pytest.raises(NotBlend):
            blend_version(PACKERS[packer](header[:length]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"BLEND",
        b"not a blend file at all",
        b"BLENDER-x304RENDH",
        b"BLENDER-v30 RENDH",
        b"BLENDER18-01v0502",
        b"blender-v304RENDH",
        gzip.compress(b"a text", mtime=0),
        zstandard.compress(b"a text"),
        b"\x28\xb5\x2f\xfd",
        b"\x28\xb5\x2f\xfd" + b"\xff" * 40,
        b"\x1f\x8b",
        b"\x1f\x8b\x08\x08" + b"A" * 100,
        b"PK\x03\x04",
    ],
)
def test_what_is_no_blend_is_refused(data: bytes) -> None:
    with pytest.raises(NotBlend):
        blend_version(data)


def test_a_bomb_does_not_matter() -> None:
    """Gigabytes of zeros behind a good header, and a frame that asks for a window of gigabytes."""
    for packed in (_zstd_bomb(), _gzip_bomb()):
        assert blend_version(packed[:HEAD_BYTES]) == "3.4"
    greedy = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=30, enable_ldm=False, write_content_size=0)
    ).compressobj()
    with pytest.raises(NotBlend):
        blend_version(greedy.compress(b"BLENDER-v304RENDH") + greedy.flush())


def _zstd_bomb() -> bytes:
    packer = zstandard.ZstdCompressor().compressobj()
    return packer.compress(b"BLENDER-v304RENDH" + bytes(64 * 2**20)) + packer.flush()


def _gzip_bomb() -> bytes:
    packer = zlib.compressobj(wbits=31)
    return packer.compress(b"BLENDER-v304RENDH" + bytes(64 * 2**20)) + packer.flush()


@given(st.binary(max_size=200), st.sampled_from([b"", b"BLENDER", b"\x28\xb5\x2f\xfd", b"\x1f\x8b\x08"]))
def test_no_bytes_upset_the_reader(data: bytes, start: bytes) -> None:
    try:
        found = blend_version(start + data)
    except NotBlend as error:
        found = str(error)

    assert found.endswith(".") or found.replace(".", "").isdigit()


@given(st.integers(1, 3), st.integers(0, 255), st.data())
def test_a_damaged_packed_head_is_a_version_or_a_refusal(count: int, value: int, data: st.DataObject) -> None:
    damaged = bytearray(zstandard.compress(b"BLENDER17-01v0502" + bytes(300)))
    for _ in range(count):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = value

    try:
        found = blend_version(bytes(damaged))
    except NotBlend as error:
        found = str(error)

    assert found


@pytest.mark.processes
@pytest.mark.parametrize("compress", [True, False])
def test_a_file_that_blender_saved(compress: bool, tmp_path: Path) -> None:
    blender = require("blender")
    path = tmp_path / "saved.blend"
    script = f"import bpy; bpy.ops.wm.save_as_mainfile(filepath={str(path)!r}, compress={compress})"
    said = subprocess.run([blender, "--version"], capture_output=True, text=True, check=True, timeout=60).stdout
    command = [blender, "-b", "--factory-startup", "--python-exit-code", "3", "--python-expr", script]
    subprocess.run(command, capture_output=True, check=True, timeout=120)

    facts = look_at_scene(path)

    assert facts.version == ".".join(said.split()[1].split(".")[:2])
    assert (facts.renderer, facts.size) == ("blender", path.stat().st_size)
