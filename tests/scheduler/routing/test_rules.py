"""Routing by rules: total, deterministic, monotone; and the router that remembers says what `route` says."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_facts import MACHINE, NAMES, POOLS, REQUEST, book, facts

from scheduler.routing.caps import keys_in, room_in
from scheduler.routing.facts import Facts
from scheduler.routing.machines import Machine, Needs
from scheduler.routing.reading_rules import read_rules
from scheduler.routing.route import HOME_POOL, REASON_AWAY, REASON_CLOUD_NEVER, Pool, RouteRequest, route
from scheduler.routing.router import JobFacts, RouteItem, Router
from scheduler.routing.rules import Cap, RuleBook
from scheduler.routing.sieve import Placement

CONDITIONS = (
    None,
    "true",
    "false",
    "job.priority > 50",
    "job.priority == 70",
    'job.project == "A"',
    'job.project == "A" && job.priority >= 70',
    'job.deadline_slack_s("onprem") < 0',
    'job.deadline_slack_s("onprem") < 3600 && job.project != "A"',
    "now.hour >= 20 || now.hour < 7",
    'now.hour > 12 && job.project == "B"',
    "pools.onprem.free < 3 && job.priority > 20",
    "job.metadata.n > 3",
    "job.age_s / 60.0 > 5.0",
    'tracking.status == "hld"',
    "job.frames % 2 == 1",
    'job.cloud == "prefer" && !job.has_deadline',
)
NAMED = [pool.name for pool in POOLS]
pool_lists = st.lists(st.sampled_from([*NAMED, "*"]), min_size=1, max_size=3, unique=True)


@st.composite
def rules(draw, *, actions: int = 3):
    """One rule, without its name."""
    rule = {}
    condition = draw(st.sampled_from(CONDITIONS))
    if condition is not None:
        rule["when"] = condition
    kinds = draw(
        st.lists(
            st.sampled_from(["allow", "forbid", "prefer", "cap", "tags", "cloud"]),
            min_size=1,
            max_size=actions,
            unique=True,
        )
    )
    for kind in kinds:
        if kind in ("allow", "forbid", "prefer"):
            rule[kind] = draw(pool_lists)
        elif kind == "cap":
            rule["cap"] = {"pool": draw(st.sampled_from([*NAMED, "*"])), "slots": draw(st.integers(0, 5))}
        elif kind == "tags":
            rule["require_tags"] = [draw(st.sampled_from(["fast", "linux"]))]
        else:
            rule["cloud"] = draw(st.sampled_from(["allow", "prefer", "never"]))
    forbidden = set(rule.get("forbid", ()))
    for kind in ("allow", "prefer"):
        if kind in rule:
            rule[kind] = [name for name in rule[kind] if name not in forbidden] or ["cluster"]
            if "cluster" in forbidden:
                del rule[kind]
    if "*" in forbidden and rule.get("cloud") != "never":
        rule.pop("cloud", None)
    return rule


def named(found) -> RuleBook:
    return book(*({"name": f"r{n}", **rule} for n, rule in enumerate(found)))


books = st.lists(rules(), max_size=6).map(named)
requests = st.builds(
    RouteRequest,
    st.builds(Needs, st.sampled_from(["kernel", "blender"]), tags=st.sampled_from([(), ("linux",)])),
    st.lists(st.sampled_from([*NAMED, "nowhere"]), max_size=3).map(tuple),
    st.sampled_from(["allow", "prefer", "never"]),
)
jobs = st.fixed_dictionaries(
    {
        "project": st.sampled_from(["", "A", "B"]),
        "frames": st.integers(0, 5),
        "cloud": st.sampled_from(["allow", "prefer", "never"]),
        "metadata": st.sampled_from([{}, {"n": 5}, {"n": "x"}]),
    }
)
movings = st.fixed_dictionaries(
    {
        "job.priority": st.none() | st.integers(0, 100),
        "job.age_s": st.none() | st.floats(0, 2000),
        "job.has_deadline": st.none() | st.booleans(),
        "job.deadline_slack_s(onprem)": st.none() | st.floats(-10_000, 10_000),
        "tracking.status": st.none() | st.sampled_from(["hld", "ip"]),
    }
)
shared = st.builds(
    lambda hour, free: Facts(now={"hour": hour}, pools={"onprem": {"free": free}}),
    st.integers(0, 23),
    st.integers(0, 9),
)
pool_sets = st.lists(st.sampled_from(POOLS), unique_by=lambda pool: pool.name, max_size=5)


def whole(job, moving, around: Facts) -> Facts:
    """All facts of one job."""
    known = {path.removeprefix("job."): v for path, v in moving.items() if path.startswith("job.") and "(" not in path}
    slack_s = moving["job.deadline_slack_s(onprem)"]
    return replace(
        around,
        job={**job, **known},
        tracking={"status": moving["tracking.status"]},
        slack_s={} if slack_s is None else {"onprem": slack_s},
    )


@given(books, requests, jobs, movings, shared, pool_sets)
def test_routing_is_total_and_deterministic(rules, request, job, moving, around, pools):
    known = whole(job, moving, around)
    told = route(request, pools, rules, known)
    assert told == route(request, pools, rules, known)
    assert bool(told.chosen) != bool(told.reasons)
    assert len({verdict.pool for verdict in told.pools}) == len(told.pools)
    assert {pool.name for pool in pools} <= {verdict.pool for verdict in told.pools}
    for verdict in told.pools:
        assert verdict.reason
        assert (verdict.pool in told.chosen) == verdict.allowed
        assert 0.0 <= verdict.score <= 1.0


@given(books, requests, jobs, movings, shared)
def test_a_job_leaves_home_only_by_a_rule_and_never_against_its_will(rules, request, job, moving, around):
    known = whole(job, moving, around)
    told = route(request, POOLS, rules, known)
    matching = [rule for rule in rules.rules if rule.name in told.rules]
    for name in told.chosen:
        assert not request.pools or name in request.pools
        assert not any(name in rule.forbid or "*" in rule.forbid for rule in matching)
        if name != HOME_POOL:
            assert any(
                name in rule.allow or "*" in rule.allow or rule.cloud in ("allow", "prefer") for rule in matching
            )
    if request.cloud == "never":
        assert set(told.chosen) <= {"onprem", "cluster"}


@given(books, rules(), requests, jobs, movings, shared, st.integers(0, 6))
def test_what_only_takes_away_never_adds_a_pool(rules, extra, request, job, moving, around, place):
    known = whole(job, moving, around)
    taking = {key: extra[key] for key in ("when", "forbid", "cap", "require_tags") if key in extra}
    if extra.get("cloud") == "never":
        taking["cloud"] = "never"
    if set(taking) <= {"when"}:
        taking["forbid"] = ["aws"]
    more = book({"name": "more", **taking}).rules
    before = route(request, POOLS, rules, known)
    after = route(request, POOLS, RuleBook(2, (*rules.rules[:place], *more, *rules.rules[place:])), known)
    assert set(after.chosen) <= set(before.chosen)


@given(books, requests, jobs, movings, shared, st.randoms())
def test_the_order_of_rules_changes_no_choice(rules, request, job, moving, around, order):
    known = whole(job, moving, around)
    shuffled = list(rules.rules)
    order.shuffle(shuffled)
    assert (
        route(request, POOLS, RuleBook(1, tuple(shuffled)), known).chosen == route(request, POOLS, rules, known).chosen
    )


@settings(max_examples=60)
@given(books, st.lists(st.tuples(requests, jobs), min_size=1, max_size=6), st.data())
def test_the_router_says_what_route_says(rules, queue, data):
    router = Router(rules)
    kept = [(RouteItem(request, JobFacts(job)), job) for request, job in queue]
    for _tick in range(4):
        around, pools = data.draw(shared), tuple(data.draw(pool_sets))
        moved = [data.draw(movings) for _job in queue]
        for (item, _job), moving in zip(kept, moved, strict=True):
            item.moving = [moving[path] for path in router.moving_paths]
        placed = router.place_all([item for item, _job in kept], pools, around)
        columns = {path: [moving[path] for moving in moved] for path in router.moving_paths}
        assert Router(rules).place_all([item for item, _job in kept], pools, around, columns) == placed
        for (item, job), moving, placement in zip(kept, moved, placed, strict=True):
            told = route(item.request, pools, rules, whole(job, moving, around))
            assert placement == Placement(told.chosen, told.needs, told.caps)


def test_reasons_name_the_rule():
    told = route(
        REQUEST,
        POOLS,
        book(
            {"name": "nda stays home", "forbid": ["aws"]},
            {"name": "burst", "allow": ["aws", "gce"]},
            {"name": "x", "cap": {"pool": "gce", "slots": 0}},
        ),
        facts(),
    )
    verdicts = {verdict.pool: verdict for verdict in told.pools}
    assert verdicts["aws"].reason == "rule 'nda stays home' forbids it"
    assert verdicts["aws"].rule == "nda stays home"
    assert verdicts["gce"].reason == "rule 'x' gives it no slots here"
    assert verdicts["branch"].reason == REASON_AWAY
    assert told.rules == ("nda stays home", "burst", "x")
    opened = route(REQUEST, POOLS, book({"name": "burst", "allow": ["gce"], "require_tags": ["fast"]}), facts())
    gce = next(verdict for verdict in opened.pools if verdict.pool == "gce")
    assert "rule 'burst' allows it" in gce.detail and "asks for the tag fast" in gce.detail
    assert opened.needs is not None and opened.needs.tags == ("fast",)
    never = route(replace(REQUEST, cloud="never"), POOLS, book({"name": "burst", "allow": ["*"]}), facts())
    assert next(v.reason for v in never.pools if v.pool == "aws") == REASON_CLOUD_NEVER


def test_preferences_order_the_pools():
    allow = {"name": "open", "allow": ["*"]}
    assert route(REQUEST, POOLS, book(allow), facts()).chosen == ("cluster", "onprem", "branch", "aws", "gce")
    prefer = {"name": "b", "prefer": ["gce", "branch"]}
    assert route(REQUEST, POOLS, book(allow, prefer), facts()).chosen[:2] == ("gce", "branch")
    cloudy = route(replace(REQUEST, cloud="prefer"), POOLS, book(allow), facts()).chosen
    assert cloudy[-2:] == ("cluster", "onprem")


def test_tags_of_a_pool_count_for_its_workers():
    needs = Needs("kernel", tags=("rented",))
    pools = (
        Pool("onprem", (MACHINE,)),
        Pool("aws", (Machine("w", 8, 8.0, renderers={"kernel": ("1",)}),), "aws", tags=("rented",)),
    )
    told = route(RouteRequest(needs), pools, book({"name": "open", "allow": ["aws"]}), facts())
    assert [verdict.detail.partition(";")[0] for verdict in told.pools] == [
        "0 of 1 workers can take it",
        "1 of 1 workers can take it",
    ]


def test_caps_count_together():
    caps = (Cap("a", "aws", 10), Cap("b", "*", share=0.25), Cap("c", "gce", 0))
    slots = {"onprem": 60, "aws": 40}
    assert keys_in(caps, "aws") == (("a", "aws"), ("b", "*"))
    assert room_in(caps, "aws", {}, slots) == (10, "a")
    assert room_in(caps, "aws", {("a", "aws"): 4, ("b", "*"): 20}, slots) == (5, "b")
    assert room_in(caps, "onprem", {("b", "*"): 30}, slots) == (0, "b")
    assert room_in(caps[:1], "onprem", {}, slots) == (None, None)


def test_the_router_forgets_jobs_that_are_gone_and_keeps_reasons():
    rules = book({"name": "n", "when": "job.metadata.n > 3", "forbid": ["onprem"]})
    router = Router(rules)
    items = [RouteItem(REQUEST, JobFacts({"metadata": {"n": "many"}})) for _ in range(300)]
    assert [p.chosen for p in router.place_all(items, POOLS, Facts())] == [("onprem",)] * 300
    assert set(router.troubles) == {"n"}
    router.place_all(items[:1], POOLS, Facts())
    assert len(router._known) == 1


def test_a_thousand_rules_are_read():
    many = "\n".join(f'[[rules]]\nname = "r{n}"\nwhen = "job.priority > {n}"\nallow = ["aws"]' for n in range(200))
    assert len(read_rules(many, "toml", NAMES)) == 200


@pytest.mark.parametrize("pools", [(), POOLS[1:]])
def test_no_home_no_choice_but_a_reason(pools):
    told = route(REQUEST, pools)
    assert told.chosen == ()
    assert told.reasons
