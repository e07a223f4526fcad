"""The bench command's numbers."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from worker.runners.kernel.bench import bench_ao


def test_bench_times_each_repeat_and_writes_the_picture(tmp_path: Path) -> None:
    result = bench_ao(64, 2, 4, threads=2, repeat=3, out=tmp_path / "f.png")
    assert len(result["ms"]) == 3
    assert all(ms > 0 for ms in result["ms"])
    assert result["mean"] == pytest.approx(0.4638, abs=0.01)
    assert Image.open(tmp_path / "f.png").size == (64, 64)


def test_bench_refuses_unknown_endings(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.png, \.jpg or \.exr"):
        bench_ao(8, 1, 1, threads=1, repeat=1, out=tmp_path / "f.gif")
