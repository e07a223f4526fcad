"""What is generated, what variants can be, and how they are told side by side."""

from __future__ import annotations

import math
import statistics
from pathlib import Path

import pytest

from scheduler.errors import Refused
from scheduler.simulation.engine import simulate
from scheduler.simulation.generating import DAY_S, MonthSpec, SpecError, delivery_s, generate, read_spec
from scheduler.simulation.planner import Variant
from scheduler.simulation.plotting import plot
from scheduler.simulation.reporting import in_words, quantile, report, rows
from scheduler.simulation.traces import read_trace, write_trace
from scheduler.simulation.variants import VariantError, read_ordering
from scheduler.simulation.workload import prepare

SMALL = MonthSpec(days=7, seed=7, workers=5)


def test_a_month_is_the_same_every_time_and_another_one_with_another_seed() -> None:
    told = [b"".join(write_trace(generate(spec))) for spec in (SMALL, SMALL, MonthSpec(days=7, seed=8, workers=5))]

    assert told[0] == told[1] != told[2]
    assert read_trace(told[0].splitlines()) == generate(SMALL)


def test_a_month_looks_like_one() -> None:
    spec = MonthSpec(shows=2, days=30, seed=2, workers=30)
    trace = generate(spec)
    hours = [job.submitted_s % DAY_S / 3600 for job in trace.jobs]
    frames = [time for job in trace.jobs if job.tiles is None for time in job.seconds[0] if time is not None]
    work_s = sum(time for job in trace.jobs for step in job.seconds for time in step if time is not None)

    assert {job.project for job in trace.jobs} == {"Alpha", "Beta"}
    assert min(hours) >= 9
    assert max(hours) < 20
    assert statistics.median(hours) > 15
    assert statistics.fmean(frames) > 1.15 * statistics.median(frames)
    assert max(frames) > 10 * statistics.median(frames)
    assert work_s == pytest.approx(30 * 30 * DAY_S * spec.load, rel=0.05)
    assert delivery_s(spec, 1) - delivery_s(spec, 0) == DAY_S
    assert any(job.changes for job in trace.jobs)
    assert all(job.deadline_s is not None and job.deadline_s > job.submitted_s for job in trace.jobs)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("shos=2", "did you mean 'shows'"),
        ("shows=two", "is no number"),
        ("shows=99", "between 1 and 8"),
        ("days=1.5", "is no number"),
        ("load=nan", "between"),
        ("=", "cannot be generated"),
    ],
)
def test_a_spec_that_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(SpecError, match=says):
        read_spec(text)


def test_a_spec() -> None:
    assert read_spec("shows=1, days=3,load=0.5") == MonthSpec(shows=1, days=3, load=0.5)


def test_policies_by_name_by_value_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "shared.toml"
    file.write_text("[policy]\nshare_points = 7\nshares = {A = 2.0}\nshare_half_life_s = 60\n")

    assert read_ordering("edf").order == "edf"
    assert read_ordering("default").policy.shares == {}
    spelled = read_ordering("deadline_points=3,shares.The Show=2")
    assert (spelled.policy.deadline_points, spelled.policy.shares) == (3, {"The Show": 2})
    from_file = read_ordering(str(file))
    assert (from_file.name, from_file.policy.share_points, from_file.share_half_life_s) == ("shared", 7, 60)
    assert from_file.policy.shares == {"A": 2}


@pytest.mark.parametrize("text", ["deadline_point=3", "deadline_points=many", "share_points=-1", "nothing", "a=1,b"])
def test_a_policy_that_cannot_be_read(text: str) -> None:
    with pytest.raises(VariantError):
        read_ordering(text)


def test_a_policy_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text("[policy\n")

    with pytest.raises(VariantError, match=r"broken\.toml"):
        read_ordering(str(file))


def test_a_report_adds_up() -> None:
    work = prepare(generate(SMALL))
    outcomes = [simulate(work, Variant(name, read_ordering(name))) for name in ("edf", "priority")]
    told = report(work, outcomes)

    for variant in told["variants"]:
        parts, total = variant["projects"].values(), variant["total"]
        for count in ("jobs", "succeeded"):
            assert sum(part[count] for part in parts) == total[count]
        assert sum(part["deadlines"]["missed"] for part in parts) == total["deadlines"]["missed"]
        assert math.isclose(sum(part["slot_hours"] for part in parts), total["slot_hours"], abs_tol=0.01)
        assert math.isclose(told["trace"]["work_slot_s"] / 3600, total["slot_hours"], rel_tol=1e-4)
    assert [row[:2] for row in rows(told)] == [
        ["edf", "Alpha"], ["", "Beta"], ["", "all"], ["priority", "Alpha"], ["", "Beta"], ["", "all"],
    ]  # fmt: skip


def test_curves_hold_all_the_work() -> None:
    work = prepare(generate(SMALL))
    outcome = simulate(work, Variant("v"))
    drawn_s = sum(sum(curve) for curve in outcome.running.values()) * outcome.bin_s

    assert drawn_s == pytest.approx(sum(found.slot_s for found in outcome.jobs))


@pytest.mark.parametrize("suffix", [".png", ".svg"])
def test_a_picture_is_drawn(tmp_path: Path, suffix: str) -> None:
    work = prepare(generate(MonthSpec(days=4, seed=1, workers=2)))
    outcomes = [simulate(work, Variant(name, read_ordering(name))) for name in ("edf", "default")]
    first, second = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    for path in (first, second):
        plot(path, outcomes, work.trace.farm.origin)

    head = first.read_bytes()[:8]
    assert head == b"\x89PNG\r\n\x1a\n" if suffix == ".png" else head.startswith(b"<?xml")
    assert first.read_bytes() == second.read_bytes()


def test_another_ending_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="gif"):
        plot(tmp_path / "a.gif", [], None)


def test_quantiles_and_words() -> None:
    assert quantile([], 0.5) is None
    assert (quantile([3, 1, 2], 0.5), quantile([3, 1, 2], 0.9), quantile([5], 0.0)) == (2, 3, 5)
    assert [in_words(value) for value in (None, 5, 95, 9000, 90_000, 200_000)] == [
        "", "5 s", "2 min", "2.5 h", "25 h", "2.3 d",
    ]  # fmt: skip
