"""Conditions: what they read, how gaps look, and that nothing blows up when a job is routed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_facts import NAMES, ROOT, at, book, facts

from scheduler.routing.compiling import ConditionError, compile_condition
from scheduler.routing.conditions import context_of
from scheduler.routing.expressions import analyse
from scheduler.routing.facts import Facts, value_of
from scheduler.routing.rules import key_of
from scheduler.routing.vocabulary import ENDLESS_S, FACTS, FUNCTIONS, METHODS_ONLY, SLACK


def holds(text: str, known: Facts | None = None) -> bool:
    condition = compile_condition(text, NAMES)
    known = known or Facts()
    return condition.holds(context_of(condition.reads, [value_of(known, read) for read in condition.reads]))


def bounds(text: str) -> dict[str, tuple[float, ...] | None]:
    return {read.path: read.bounds for read in compile_condition(text, NAMES).reads}


def test_every_fact_can_be_read_where_nobody_knows_it():
    literals = {"text": '""', "int": "0", "double": "0.0", "bool": "false", "texts": "[]", "open": '""'}
    for fact in FACTS:
        path = fact.path.replace("pools.NAME", "pools.aws").replace("budget.NAME", "budget.farm").replace("NAME", "x")
        empty = fact.empty if fact.empty is not None else None
        wanted = literals[fact.kind] if empty is None else f'"{empty}"' if isinstance(empty, str) else repr(empty)
        assert holds(f"{path} == {wanted}"), path


@pytest.mark.parametrize(
    ("text", "job", "expected"),
    [
        ('job.metadata.night == true', {"metadata": {"night": True}}, True),
        ('job.metadata.night == true', {}, False),
        ('job.metadata.night == true', {"metadata": {"night": "true"}}, False),
        ("has(job.metadata.n) && job.metadata.n > 3", {"metadata": {"n": 4}}, True),
        ("has(job.metadata.n) && job.metadata.n > 3", {}, False),
        ('job.metadata["a b"] == "x"', {"metadata": {"a b": "x"}}, True),
        ('"n" in job.metadata', {"metadata": {"n": None, "m": 1}}, False),
        ('"m" in job.metadata && job.metadata.m == 1', {"metadata": {"m": 1}}, True),
        ('"gpu" in job.requires.tags', {"requires": {"tags": ["gpu"]}}, True),
        ('job.requires.tags.exists(t, t.startsWith("g"))', {"requires": {"tags": ["x", "gpu"]}}, True),
        ('job.requires.tags.all(t, t != "x")', {}, True),
        ('size(job.pools) == 0', {}, True),
        ('job.name.matches("^sh[0-9]+_")', {"name": "sh010_light"}, True),
        ("job.requires.memory_gib > 8", {"requires": {"memory_gib": 9}}, True),
        ("job.frames > 10.5", {"frames": 11}, True),
        ('job.deadline_slack_s("onprem") < 0', {}, False),
        ('job.name == "x" // a comment', {"name": "x"}, True),
        ('job["name"] == "x"', {"name": "x"}, True),
        ('r"\\d" == "\\\\d"', {}, True),
        ('job.tracking.task_id == 5', {"tracking": {"task_id": 5}}, True),
        ('job.tracking.task_id == 0 && job.tracking.project == ""', {"tracking": None}, True),
    ],
)  # fmt: skip
def test_conditions(text, job, expected):
    assert holds(text, facts(**job)) is expected


def test_slack_is_that_of_the_pool_named():
    known = facts(slack_s={"onprem": -5.0, "aws": 100.0})
    assert holds('job.deadline_slack_s("onprem") < 0 && job.deadline_slack_s("aws") > 60', known)
    assert holds(f'job.deadline_slack_s("gce") >= {ENDLESS_S}', known)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("job.priority > 50", {"job.priority": (50.0,)}),
        ("50 < job.priority && job.priority <= 90", {"job.priority": (50.0, 90.0)}),
        ("!(job.age_s >= -1.5e3)", {"job.age_s": (-1500.0,)}),
        ("job.priority + 1 > 50", {"job.priority": None}),
        ("job.priority > 50 - 1", {"job.priority": None}),
        ("-job.priority > 50", {"job.priority": None}),
        ("job.priority > 50 == true", {"job.priority": None}),
        ("job.priority > job.frames", {"job.priority": None, "job.frames": None}),
        ("job.priority in [1, 2]", {"job.priority": None}),
        ('job.priority > 50 || string(job.priority) == "7"', {"job.priority": None}),
        ('job.deadline_slack_s("aws") < 0', {"job.deadline_slack_s(aws)": (0.0,)}),
        ('job.name == "x"', {"job.name": None}),
    ],
)
def test_numbers_that_are_only_compared_count_by_their_side(text, expected):
    assert bounds(text) == expected


COMPARED = "job.priority > 50 && (job.age_s <= 600 || job.age_s == 3600.5 || 1200 > job.age_s) && job.priority != 70"


@given(st.integers(0, 100), st.integers(0, 100), st.floats(0, 5000), st.floats(0, 5000))
def test_the_same_key_means_the_same_answer(priority, other_priority, age_s, other_age_s):
    condition = compile_condition(COMPARED, NAMES)

    def answer(known: Facts):
        values = [value_of(known, read) for read in condition.reads]
        key = tuple(key_of(read, value) for read, value in zip(condition.reads, values, strict=True))
        return key, condition.holds(context_of(condition.reads, values))

    first, second = (
        answer(facts(priority=priority, age_s=age_s)),
        answer(facts(priority=other_priority, age_s=other_age_s)),
    )
    assert first[0] != second[0] or first[1] == second[1]


def test_durations_whose_value_is_asked_for_run_by_the_minute():
    assert holds("job.age_s / 60.0 == 2.0", facts(age_s=179.0))
    assert holds("job.age_s / 60.0 == 3.0", facts(age_s=180.0))


def test_a_rule_that_cannot_be_told_does_not_match_and_says_why():
    rules = book(
        {"name": "metadata", "when": "job.metadata.n > 3", "forbid": ["*"]},
        {"name": "index", "when": 'job.requires.tags[1] == "x"', "forbid": ["*"]},
        {"name": "zero", "when": "10 / job.frames > 3", "forbid": ["*"]},
        {"name": "fine", "forbid": ["gce"]},
    )
    found = rules.match(facts(metadata={"n": "many"}))
    assert [rule.name for rule in found.rules] == ["fine"]
    assert set(found.troubles) == {"metadata", "index", "zero"}
    assert all(found.troubles.values())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
PATHS = [f.path.replace("pools.NAME", "pools.aws").replace("NAME", "farm") for f in FACTS]
READS_ALL = book(
    *({"name": path, "when": f"{path} == {path}", "allow": ["aws"]} for path in PATHS),
    {"name": "metadata", "when": 'size(job.metadata) >= 0 || "x" in job.metadata', "allow": ["aws"]},
)


@given(st.fixed_dictionaries(dict.fromkeys(("job", "tracking", "estimate", "pools", "budget", "now"), json_values)))
def test_no_facts_make_routing_fail(known):
    READS_ALL.match(Facts(**known))
    READS_ALL.match(
        Facts(**{root: {"metadata": inner, "requires": inner, "aws": inner} for root, inner in known.items()})
    )


def test_functions_that_are_promised_exist():
    called = {
        "string": 'string(1) == "1"', "int": "int(1.5) == 1", "uint": "uint(1) == 1u", "double": "double(1) == 1.0",
        "type": "type(1) == int", "dyn": "dyn(1) == 1", "bytes": 'bytes("a") == b"a"', "size": 'size("a") == 1',
        "timestamp": 'timestamp("2026-01-01T00:00:00Z") < timestamp("2027-01-01T00:00:00Z")',
        "duration": 'duration("1h") < duration("2h")', "has": "has(job.name)",
        "contains": '"ab".contains("a")', "startsWith": '"ab".startsWith("a")', "endsWith": '"ab".endsWith("b")',
        "matches": '"ab".matches("a.")', "all": "[1].all(x, x == 1)", "exists": "[1].exists(x, x == 1)",
        "exists_one": "[1].exists_one(x, x == 1)", "map": "[1].map(x, x + 1) == [2]",
        "filter": "[1].filter(x, x > 1) == []",
    }  # fmt: skip
    for name in FUNCTIONS - set(called):
        called[name] = f'timestamp("2026-01-01T00:00:00Z").{name}() >= 0'
    assert set(called) == FUNCTIONS
    assert METHODS_ONLY <= FUNCTIONS
    for text in called.values():
        assert holds(text), text


def test_what_an_expression_reads():
    found = analyse('job.tags.exists(t, t == job.name) && "job.owner" != job["x"].y // job.z')
    assert {".".join(reading.path) for reading in found.readings} == {"job.tags", "job.name", "job.x.y"}
    assert {call.name for call in found.calls} == {"exists"}
    assert found.bound_names == {"t"}


def test_flaws_come_in_the_order_of_the_text():
    with pytest.raises(ConditionError) as caught:
        compile_condition("job.nme == foo(job.x) && bar == 1", NAMES)
    offsets = [flaw.offset for flaw in caught.value.flaws]
    assert offsets == [4, 11, 19, 25]


@pytest.mark.parametrize(
    ("utc", "zone", "expected"),
    [
        ("2026-03-29T00:59:00+00:00", "Europe/Berlin", ("01:59", 7, "2026-03-29")),
        ("2026-03-29T01:00:00+00:00", "Europe/Berlin", ("03:00", 7, "2026-03-29")),
        ("2026-10-25T00:30:00+00:00", "Europe/Berlin", ("02:30", 7, "2026-10-25")),
        ("2026-10-25T01:30:00+00:00", "Europe/Berlin", ("02:30", 7, "2026-10-25")),
        ("2026-12-31T23:30:00+00:00", "Asia/Tokyo", ("08:30", 5, "2027-01-01")),
        ("2026-06-01T03:30:00+00:00", "America/Los_Angeles", ("20:30", 7, "2026-05-31")),
    ],
)
def test_the_clock_of_the_studio(utc, zone, expected):
    now = at(utc, zone)
    assert (now["time"], now["weekday"], now["date"]) == expected
    assert now["time"] == f"{now['hour']:02d}:{now['minute']:02d}"
    assert set(now) == {fact.path.removeprefix("now.") for fact in FACTS if fact.path.startswith("now.")}


def test_every_fact_is_in_the_how_to():
    page = (ROOT / "docs" / "howto" / "rules.md").read_text()
    assert [fact.path for fact in FACTS if f"| `{fact.path}` |" not in page] == []
    assert f'`job.{SLACK}("POOL")`' in page
