"""Rules from text: every fault has a place, and all forms say the same."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from malformed_rules import CASES, Malformed
from rule_facts import NAMES

from scheduler.routing.located import SyntaxFault
from scheduler.routing.located_yaml import read_yaml
from scheduler.routing.reading_rules import RULES_MAX, TEXT_MAX_BYTES, read_rules
from scheduler.routing.rule_faults import Fault, RuleError
from scheduler.routing.rules import Cap
from scheduler.routing.scanning import read_json, read_toml

WHOLE = {
    "name": "all of it",
    "when": 'job.priority > 50 && job.metadata["a b"] == "ü"',
    "allow": ["aws"],
    "forbid": ["gce"],
    "prefer": ["branch"],
    "cap": [{"pool": "aws", "slots": 3}, {"share": 0.5}],
    "require_tags": ["fast"],
    "cloud": "prefer",
    "note": "why",
}
TOML = """
[[rules]] # a comment
name = 'all of it'
when = '''job.priority > 50 && job.metadata["a b"] == "ü"'''
allow = ["aws",] # more
forbid = [ 'gce' ]
prefer = ["branch"]
require_tags = ["fast"]
cloud = "prefer"
note = "why"
[[rules.cap]]
pool = "aws"
slots = 3
[[rules.cap]]
share = 5e-1
"""
YAML = """
rules:
- name: all of it
  when: job.priority > 50 && job.metadata["a b"] == "ü"
  allow: [aws]
  forbid:
    - gce
  prefer: [branch]
  cap:
    - {pool: aws, slots: 3}
    - share: 0.5
  require_tags: [fast]
  cloud: prefer
  note: why
"""


def test_there_are_a_hundred_of_them():
    assert len(CASES) >= 100
    assert len({(case.syntax, case.text) for case in CASES}) == len(CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.syntax}-{case.line}-{case.column}-{case.words[:20]}")
def test_malformed_rules_are_refused_at_their_place(case: Malformed):
    with pytest.raises(RuleError) as caught:
        read_rules(case.text, case.syntax, NAMES)  # type: ignore[arg-type]
    error = caught.value
    found = [(fault.line, fault.column) for fault in error.faults if case.words in fault.message]
    assert (case.line, case.column) in found, [str(fault) for fault in error.faults]
    fault = next(f for f in error.faults if case.words in f.message and (f.line, f.column) == (case.line, case.column))
    assert fault.index == case.index
    assert error.details["line"] >= 1
    assert error.details["faults"]
    assert error.code == "invalid_rules"
    assert error.hint


@pytest.mark.parametrize(
    ("syntax", "text"),
    [("toml", TOML), ("yaml", YAML), ("json", json.dumps({"rules": [WHOLE]})), ("json", json.dumps([WHOLE]))],
)
def test_all_forms_say_the_same(syntax, text):
    (rule,) = read_rules(text, syntax, NAMES)
    assert rule.data == WHOLE
    assert (rule.name, rule.allow, rule.forbid, rule.prefer) == ("all of it", ("aws",), ("gce",), ("branch",))
    assert rule.caps == (Cap("all of it", "aws", 3), Cap("all of it", "*", None, 0.5))
    assert (rule.require_tags, rule.cloud, rule.note) == (("fast",), "prefer", "why")


@pytest.mark.parametrize(
    ("syntax", "text"), [("toml", ""), ("yaml", ""), ("json", "{}"), ("json", "[]"), ("yaml", "rules: []")]
)
def test_no_rules_are_rules(syntax, text):
    assert read_rules(text, syntax, NAMES) == ()


def test_every_fault_is_told_in_the_order_of_the_text():
    text = '[[rules]]\nname = "a"\nwhen = \'job.nme == 1 && foo(1)\'\nalow = []\n[[rules]]\nname = "b"\n'
    with pytest.raises(RuleError) as caught:
        read_rules(text, "toml", NAMES)
    places = [(f.line, f.column) for f in caught.value.faults]
    assert places == sorted(places)
    assert len(places) == 4
    assert (caught.value.index, caught.value.line, caught.value.column) == (0, 3, 13)
    assert "3 more faults" in caught.value.message


def test_limits():
    many = [{"name": str(n), "allow": ["aws"]} for n in range(RULES_MAX + 1)]
    assert len(read_rules(json.dumps(many[:-1]), "json", NAMES)) == RULES_MAX
    with pytest.raises(RuleError, match="more than 1000 rules"):
        read_rules(json.dumps(many), "json", NAMES)
    with pytest.raises(RuleError, match="larger than"):
        read_rules("#" * (TEXT_MAX_BYTES + 1), "toml", NAMES)
    for text, syntax in (("[" * 5000, "json"), ("[" * 5000, "yaml"), ("a = " + "[" * 5000, "toml")):
        with pytest.raises(RuleError):
            read_rules(text, syntax, NAMES)  # type: ignore[arg-type]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(plain, st.sampled_from([None, 2]))
def test_json_is_read_as_the_standard_library_reads_it(value, indent):
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    assert read_json(text).plain() == value


def faults_of(text: str, syntax) -> tuple[Fault, ...]:
    """What is wrong with a text; nothing, if it is rules."""
    try:
        read_rules(text, syntax, NAMES)
    except RuleError as error:
        return error.faults
    return ()


@given(st.text(max_size=200), st.sampled_from(["toml", "yaml", "json"]))
def test_any_text_is_rules_or_refused_with_a_place(text, syntax):
    faults = faults_of(text, syntax)
    assert all(1 <= fault.line <= text.count("\n") + 2 and fault.column >= 1 for fault in faults)


@given(
    st.sampled_from([TOML, YAML, json.dumps({"rules": [WHOLE]}, indent=1)]),
    st.integers(0, 400),
    st.integers(0, 5),
    st.text(alphabet="[]{}\"'=:,.#\n\t \\a1&*!", max_size=4),
)
def test_broken_rules_are_rules_or_refused_with_a_place(text, at, cut, put):
    broken = text[:at] + put + text[at + cut :]
    for syntax in ("toml", "yaml", "json"):
        assert all(fault.line >= 1 and fault.column >= 1 for fault in faults_of(broken, syntax))


@pytest.mark.parametrize(
    "text", ["a = 1979-05-27 07:32:00\nb.c = {d.e = [1, 2]}\n\"f g\" = '''x'''\n[h.i]\nj = +inf\n[[k]]\n[k.l]\nm=1"]
)
def test_toml_is_read_as_the_standard_library_reads_it(text):
    import tomllib

    assert read_toml(text).plain() == tomllib.loads(text)


def test_yaml_takes_plain_data_only():
    with pytest.raises(SyntaxFault):
        read_yaml("!!python/name:os.system")
