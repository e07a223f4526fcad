"""A whole picture is told from one that only begins well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from PIL import Image

from worker.runners.picture_files import ImageWrong, check_image

SIZE = (37, 53)


def picture(folder: Path, kind: str) -> Path:
    path = folder / f"picture.{kind}"
    values = np.random.default_rng(1).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
    if kind == "exr":
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, {"RGB": values.astype(np.float32)}).write(str(path))
    else:
        Image.fromarray(values).save(path, {"png": "PNG", "jpg": "JPEG"}[kind])
    return path


@pytest.mark.parametrize("kind", ["png", "jpg", "exr"])
def test_whole_pictures(tmp_path: Path, kind: str) -> None:
    assert check_image(picture(tmp_path, kind), kind, SIZE) == SIZE
    assert check_image(picture(tmp_path, kind), kind, None) == SIZE


@pytest.mark.parametrize("kind", ["png", "jpg", "exr"])
def test_what_is_missing_is_seen_wherever_it_ends(tmp_path: Path, kind: str) -> None:
    path = picture(tmp_path, kind)
    data = path.read_bytes()
    for length in [*range(0, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        with pytest.raises(ImageWrong):
            check_image(path, kind, SIZE)


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "B44", "B44A", "DWAA", "DWAB"])
def test_the_index_is_found_for_every_compression(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "picture.exr"
    header = {"compression": getattr(OpenEXR, f"{compression}_COMPRESSION"), "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": np.ones((600, 31, 3), np.float16)}).write(str(path))
    assert check_image(path, "exr", None) == (31, 600)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 3])
    with pytest.raises(ImageWrong, match=r"not whole|no header"):
        check_image(path, "exr", None)


def test_another_size_or_kind(tmp_path: Path) -> None:
    with pytest.raises(ImageWrong, match="is 37×53 pixels and should be 64×36"):
        check_image(picture(tmp_path, "png"), "png", (64, 36))
    for kind, other in (("png", "jpg"), ("jpg", "exr"), ("exr", "png")):
        with pytest.raises(ImageWrong, match="is not a"):
            check_image(picture(tmp_path, kind), other, SIZE)
