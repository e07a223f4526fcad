"""Traces: what is written is read back; what cannot be read names its line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.protocol.traces import Change, JobLine, MachineSpec, PoolSpec, RequiresSpec, WorkerLine, new_farm
from scheduler.simulation.traces import Trace, TraceError, read_trace, write_trace
from scheduler.simulation.workload import prepare

FARM = b'{"kind":"farm","format":"outfield-trace","version":1}'
JOB = b'{"kind":"job","job":"1","submitted_s":5,"seconds":[[1,2]],"frame_count":2}'

names = st.text(min_size=1, max_size=12)
times = st.floats(0, 1e6)
jobs = st.builds(
    JobLine,
    job=names,
    submitted_s=times,
    seconds=st.lists(st.none() | times, min_size=1, max_size=5).map(lambda row: (tuple(row),)),
    project=st.text(max_size=8),
    priority=st.integers(0, 100),
    deadline_s=st.none() | times,
    requires=st.builds(RequiresSpec, vcpus=st.integers(1, 64), memory_gib=st.floats(0, 512)),
    cloud=st.sampled_from(["allow", "prefer", "never"]),
    changes=st.lists(
        st.builds(Change, at_s=times, priority=st.none() | st.integers(0, 100), hold=st.none() | st.booleans())
    ).map(tuple),
)
workers = st.builds(
    WorkerLine,
    worker=names,
    count=st.integers(1, 9),
    machine=st.builds(MachineSpec, slots=st.integers(1, 8), rating=st.floats(0.1, 10)),
)


@given(st.lists(workers, unique_by=lambda line: line.worker), st.lists(jobs, unique_by=lambda line: line.job))
def test_what_is_written_is_read_back(nodes: list[WorkerLine], lines: list[JobLine]) -> None:
    trace = Trace(new_farm((PoolSpec("cloud"),), origin="2026-01-05T00:00:00Z"), tuple(nodes), tuple(lines))

    found = read_trace(b"".join(write_trace(trace)).splitlines(keepends=True))

    assert found.farm == trace.farm
    assert found.workers == trace.workers
    assert found.jobs == tuple(sorted(lines, key=lambda job: job.submitted_s))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ([], "line 1: the trace is empty"),
        ([JOB], "line 1: the first line must describe the farm"),
        ([FARM.replace(b'version":1', b'version":2')], "line 1: version 2 of the format is not known"),
        ([FARM.replace(b"outfield-trace", b"other")], "line 1: "),
        ([FARM, b"", b"{"], "line 3: it is not JSON"),
        ([FARM, b"\xff{}"], "line 2: "),
        ([FARM, JOB.replace(b"submitted_s", b"submited_s")], "did you mean 'submitted_s'?"),
        ([FARM, JOB.replace(b'"submitted_s":5', b'"submitted_s":-5')], "line 2: Expected `float` >= 0"),
        ([FARM, JOB.replace(b"[[1,2]]", b'[[1,"x"]]')], "`$.seconds[0][1]`"),
        ([FARM, JOB, JOB], "line 3: job '1' stands in line 2 already"),
        ([FARM, JOB[:-1] + b',"depends_on":["9"]}'], "line 2: job '1' depends on job '9'"),
        ([FARM, JOB[:-1] + b',"depends_on":["1"]}'], "line 2: job '1' depends on itself"),
        ([FARM, FARM], "line 2: a second farm line"),
        ([FARM, b'{"kind":"worker","worker":"w","pool":"mars"}'], "line 2: pool 'mars' is not in the farm line"),
        ([FARM, b'{"kind":"worker","worker":"w","joined_s":9,"left_s":1}'], "leaves before it joins"),
        ([FARM, b'{"kind":"worker","worker":"w","count":0}'], "line 2: Expected `int` >= 1"),
        ([FARM[:-1] + b',"pools":[{"name":"a"},{"name":"a"}]}'], "two pools have the same name"),
        ([FARM[:-1] + b',"pools":[{"name":"a","workers_max":3}]}'], "no machine says"),
        ([FARM[:-1] + b',"origin":"yesterday"}'], "line 1: origin 'yesterday' is no ISO 8601 time"),
        ([FARM[:-1] + b',"origin":"2026-01-01T00:00:00"}'], "with an offset"),
        ([FARM, b'{"kind":"robot"}'], "line 2: "),
    ],
)
def test_a_line_that_cannot_be_read_is_named(lines: list[bytes], says: str) -> None:
    with pytest.raises(TraceError) as caught:
        read_trace(lines)

    assert says in caught.value.message
    assert caught.value.message.startswith("line ")


@given(st.lists(st.binary(max_size=40), max_size=6))
def test_noise_is_refused_and_nothing_else_happens(lines: list[bytes]) -> None:
    with pytest.raises(TraceError):
        read_trace([*lines, b"x"])


def test_times_must_match_the_split() -> None:
    wrong = JobLine(job="1", submitted_s=0, seconds=((1.0, 2.0),), frame_count=3)

    with pytest.raises(TraceError, match="make 3 tasks per step, but `seconds` holds 2"):
        prepare(Trace(new_farm(()), (), (wrong,)))


def test_times_that_were_not_measured_are_filled() -> None:
    lines = (
        JobLine(job="1", submitted_s=0, seconds=((4.0, None, 8.0, 5.0),), frame_count=4),
        JobLine(job="2", submitted_s=0, seconds=((None,),)),
    )

    one, two = prepare(Trace(new_farm(()), (), lines)).jobs

    assert one.steps[0].seconds == (4.0, 5.0, 8.0, 5.0)
    assert two.steps[0].seconds == (5.0,)
