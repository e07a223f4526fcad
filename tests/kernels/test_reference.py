"""The C program that the benchmark measures against draws the same picture."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from components import require

from worker.runners.kernel.bench import bench_ao

BENCHMARK = Path(__file__).resolve().parents[2] / "benchmarks" / "ao.py"


def test_kernel_and_c_program_agree(tmp_path: Path) -> None:
    require("gcc")
    spec = importlib.util.spec_from_file_location("ao_benchmark", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    reference = benchmark.run_reference(benchmark.build_reference(tmp_path), 128, 2, 8, 1)
    kernel = bench_ao(128, 2, 8, threads=1, repeat=1)
    assert kernel["mean"] == pytest.approx(reference["mean"], abs=0.002)
    assert reference["ms"][0] > kernel["ms"][0]
