"""Which jobs leave for another farm: routing's last word, and sites as pools among others."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.routing.departing import SiteOffer, departure, waiting_words
from scheduler.routing.facts import Facts
from scheduler.routing.machines import Machine, Needs
from scheduler.routing.reading_rules import read_rules
from scheduler.routing.route import REASON_AWAY, REASON_CLOUD_NEVER, REASON_SITE, Pool, RouteRequest, route
from scheduler.routing.router import JobFacts, RouteItem, Router
from scheduler.routing.rules import RuleBook

OFFER = SiteOffer(10)
KERNEL = Machine("w1", 2, 8.0, renderers={"kernel": ("0.1.0",)})
HOME = Pool("onprem", (KERNEL,))
STUDIO = Pool("studio", backend="site", house=True, default=True)
SISTER = Pool("sister", backend="site")


def leaves(chosen, sites, *, refused=(), waited_s=0.0, able=("onprem",)):
    return departure(chosen, sites, refused=refused, waited_s=waited_s, can_take=lambda pool: pool in able)


@pytest.mark.parametrize(
    ("chosen", "sites", "more", "expected"),
    [
        (("branch",), {"branch": OFFER}, {}, "branch"),
        (("branch", "onprem"), {"branch": OFFER}, {}, "branch"),
        (("onprem", "branch"), {"branch": OFFER}, {}, None),
        (("onprem", "branch"), {"branch": OFFER}, {"able": ()}, "branch"),
        (("onprem",), {"branch": OFFER}, {"able": ()}, None),
        (("branch", "onprem"), {"branch": OFFER}, {"refused": {"branch"}}, None),
        (("branch", "other"), {"branch": OFFER, "other": OFFER}, {"refused": {"branch"}}, "other"),
        (("branch",), {"branch": SiteOffer(1, full=True)}, {}, None),
        (("branch", "onprem"), {"branch": SiteOffer(1, shut=True)}, {}, None),
        (("branch",), {"branch": SiteOffer(1, shut=True)}, {}, "branch"),
        (("branch", "onprem"), {"branch": SiteOffer(1, shut=True)}, {"able": ()}, "branch"),
        (("branch", "other"), {"branch": SiteOffer(1, shut=True), "other": OFFER}, {}, "other"),
        (("onprem", "branch"), {"branch": SiteOffer(9, overflow_s=60)}, {"waited_s": 59}, None),
        (("onprem", "branch"), {"branch": SiteOffer(9, overflow_s=60)}, {"waited_s": 60}, "branch"),
        (("onprem", "branch"), {"branch": SiteOffer(9, full=True, overflow_s=60)}, {"waited_s": 60}, None),
        (("onprem", "branch"), {"branch": SiteOffer(9, shut=True, overflow_s=60)}, {"waited_s": 60}, None),
    ],
)
def test_where_a_job_goes(chosen, sites, more, expected):
    assert leaves(chosen, sites, **more) == expected


POOLS = st.permutations(["onprem", "gce", "a", "b"]).flatmap(lambda p: st.integers(0, 4).map(lambda n: tuple(p[:n])))
OFFERS = st.builds(
    SiteOffer, st.integers(1, 9), full=st.booleans(), shut=st.booleans(), overflow_s=st.sampled_from([None, 0.0, 60.0])
)


@given(
    POOLS, OFFERS, OFFERS, st.sets(st.sampled_from(["a", "b"])), st.sets(st.sampled_from(["onprem", "gce"])),
    st.floats(0, 100),
)  # fmt: skip
def test_it_goes_only_where_its_route_and_the_site_let_it(chosen, a, b, refused, able, waited_s):
    sites = {"a": a, "b": b}
    found = leaves(chosen, sites, refused=refused, able=able, waited_s=waited_s)
    if found is not None:
        assert found in chosen and found in sites and found not in refused and not sites[found].full
        if sites[found].shut:
            assert able.isdisjoint(chosen), "nobody waits for a silent site who has another place"


def test_why_it_does_not_go():
    assert waiting_words("branch", OFFER, refused=None) is None
    assert "jobs_max = 10" in (waiting_words("branch", SiteOffer(10, full=True), refused=None) or "")
    assert waiting_words("branch", OFFER, refused="no such renderer") == "it does not go to branch: no such renderer"
    assert "too long" in (waiting_words("branch", SiteOffer(1, shut=True), refused=None) or "")


def test_a_default_site_needs_no_rule_and_comes_first():
    found = route(RouteRequest(Needs("kernel")), [HOME, STUDIO, SISTER])
    assert found.chosen == ("studio", "onprem")
    assert {v.pool: v.reason for v in found.pools if v.pool != "onprem"} == {
        "studio": REASON_SITE,
        "sister": REASON_AWAY,
    }
    assert found.placeable
    assert route(RouteRequest(Needs("kernel"), cloud="never"), [HOME, STUDIO]).chosen == ("studio", "onprem")
    outside = Pool("studio", backend="site", default=True)
    closed = route(RouteRequest(Needs("kernel"), cloud="never"), [HOME, outside])
    assert [v.reason for v in closed.pools if v.pool == "studio"] == [REASON_CLOUD_NEVER]


def book(*rules: dict) -> RuleBook:
    return RuleBook(1, read_rules(json.dumps({"rules": list(rules)}), "json"))


@pytest.mark.parametrize(
    ("rules", "cloud"),
    [
        ((), "allow"),
        ((), "never"),
        (({"name": "home first", "prefer": ["onprem"]},), "allow"),
        (({"name": "closed", "forbid": ["studio"]},), "allow"),
        (({"name": "open", "allow": ["sister"], "prefer": ["sister"]},), "prefer"),
        (({"name": "cloud", "cloud": "prefer"},), "allow"),
    ],
)
def test_plan_and_why_agree_on_sites(rules, cloud):
    pools = [HOME, STUDIO, SISTER, Pool("far", backend="site", default=True)]
    request, rulebook = RouteRequest(Needs("kernel"), cloud=cloud), book(*rules)
    item = RouteItem(request, JobFacts({"name": "x"}))
    (placed,) = Router(rulebook).place_all([item], pools, Facts(), {})
    assert placed.chosen == route(request, pools, rulebook, Facts(job={"name": "x"})).chosen
