"""Files of rules that must be refused. `¦` marks the place that the refusal must name; it is no part of the file."""

from __future__ import annotations

from dataclasses import dataclass

MARK = "¦"


@dataclass(frozen=True)
class Malformed:
    """A file that is refused: at `line` and `column`, for rule `index`, with `words` in the message."""

    syntax: str
    text: str
    line: int
    column: int
    index: int | None
    words: str


def _case(syntax: str, marked: str, index: int | None, words: str) -> Malformed:
    assert marked.count(MARK) == 1, marked
    before = marked.partition(MARK)[0]
    return Malformed(
        syntax,
        marked.replace(MARK, ""),
        before.count("\n") + 1,
        len(before) - (before.rfind("\n") + 1) + 1,
        index,
        words,
    )


GOOD = '[[rules]]\nname = "good"\nallow = ["aws"]\n'


def _toml(body: str, words: str, *, after: str = "") -> Malformed:
    """One wrong rule behind a good one."""
    return _case("toml", f'{GOOD}[[rules]]\nname = "bad"\n{body}\n{after}', 1, words)


def _when(condition: str, words: str) -> Malformed:
    """A rule whose condition is wrong, in a literal string."""
    return _toml(f"when = '{condition}'\nallow = [\"aws\"]", words)


CONDITIONS = (
    _when("¦projekt == 1", "no fact"),
    _when("job.¦nme == \"x\"", "did you mean 'name'"),
    _when('job.tracking.¦projct == "x"', "did you mean 'project'"),
    _when('job.requires.¦memory == 1', "did you mean 'memory_gib'"),
    _when('tracking.¦prio > 1', "no fact of tracking"),
    _when('estimate.¦finish > 1', "no fact of estimate"),
    _when('now.¦hours > 1', "did you mean 'hour'"),
    _when('pools.¦awss.free > 1', "did you mean 'aws'"),
    _when('pools.aws.¦frei > 1', "did you mean 'free'"),
    _when('pools[¦"nowhere"].free > 1', "no pool 'nowhere'"),
    _when('budget.¦fram.left_usd > 1', "did you mean 'farm'"),
    _when('budget.farm.¦left > 1', "no fact of budget.farm"),
    _when('job.name.¦first == "x"', "single value"),
    _when('¦job == 1', "name one of the facts"),
    _when('¦now == 1', "name one of the facts"),
    _when('job.¦requires == 1', "name one of the facts"),
    _when('job.metadata.x.¦y == 1', "single value"),
    _when('job.name == "x" && job.¦ownr == "y"', "did you mean 'owner'"),
    _when('job.¦deadline_slack_s < 0', "call it"),
    _when('job.¦deadline_slack_s() < 0', "name of a pool"),
    _when('job.¦deadline_slack_s(job.name) < 0', "name of a pool"),
    _when('job.¦deadline_slack_s("onprm") < 0', "did you mean 'onprem'"),
    _when('¦deadline_slack_s("onprem") < 0', "called as job."),
    _when('now.¦deadline_slack_s("onprem") < 0', "called as job."),
    _when('job.name.¦lowercase() == "x"', "no function"),
    _when('¦len(job.name) > 1', "no function"),
    _when('job.name.¦startswith("x")', "did you mean 'startsWith'"),
    _when('¦startsWith(job.name, "x")', "is called on a value"),
    _when('¦job.priority', "instead of true or false"),
    _when('¦job.name', "instead of true or false"),
    _when('¦"yes"', "instead of true or false"),
    _when('¦1 + 1', "instead of true or false"),
    _when('¦null', "instead of true or false"),
    _when('¦job.priority > 50 ? job.name : "x"', "instead of true or false"),
    _when('¦job.metadata.night', "instead of true or false"),
    _when('¦job.name > 5', "types do not fit"),
    _when('¦job.priority == 1 && job.name > 5', "types do not fit"),
    _when('¦job.age_s / 60 > 5', "types do not fit"),
    _when('¦!job.name', "types do not fit"),
    _when('¦job.priority + "x" == "x"', "types do not fit"),
    _when('¦now.hour < "7"', "types do not fit"),
    _when('¦job.name.matches("(")', "regex"),
    _when('¦1 / 0 == 1', "cannot be told for any job"),
    _when('job.name ¦= "x"', "write == to compare"),
    _when('job.name ==¦ ', "ends too early"),
    _when('job.name == "x" &&¦', "ends too early"),
    _when('(job.priority > 1¦', "missing ')'"),
    _when('job.priority > 1¦)', "not CEL"),
    _when('job.¦.name == "x"', "not CEL"),
    _when('job.name == "x" ¦job.owner', "not CEL"),
    _when('job.name == ¦"x', "not CEL"),
    _when('job.name ¦@ "x"', "not CEL"),
    _when('¦', "ends too early"),
    _when('job.name in ["a",¦ ', "not CEL"),
    _when('job.requires.tags.exists(¦', "not CEL"),
    _when("job.requires.tags.exists¦(job, job == \"x\")", "another name"),
    _when("[1].all(a, [1].all(b, [1].¦all(c, a == c)))", "at most 2"),
    _when(f"job.priority > {'0' * 1985}¦0", "at most 2000 characters"),
    _when("(" * 96 + "¦(" + "1" + ")" * 97, "nested too deeply"),
)  # fmt: skip

WRITTEN = (
    _toml('when = """\njob.priority > 50 &&\n  job.¦ownr == "x"\n"""\nallow = ["aws"]', "did you mean 'owner'"),
    _toml('when = """job.name == "x" && \\\n   job.¦ownr == "x" """\nallow = ["aws"]', "did you mean 'owner'"),
    _toml("when = '''\n\njob.¦nme == \"x\"'''\nallow = [\"aws\"]", "did you mean 'name'"),
    _toml('when = "job.name == \\"\\u00e9\\" && job.¦nme == 1"\nallow = ["aws"]', "did you mean 'name'"),
    _toml('when = "job.name ==\\t\\"a b\\" && job.¦nme == 1"\nallow = ["aws"]', "did you mean 'name'"),
    _toml('"when" = "job.¦nme == 1"\nallow = ["aws"]', "did you mean 'name'"),
    _toml('when = ¦5\nallow = ["aws"]', "condition in quotes"),
    _toml('when = ¦true\nallow = ["aws"]', "condition in quotes"),
    _toml('when = ¦["job.priority > 1"]\nallow = ["aws"]', "condition in quotes"),
)  # fmt: skip

KEYS = (
    _toml('¦alow = ["aws"]\nforbid = ["gce"]', "did you mean 'allow'"),
    _toml('¦whn = "true"\nforbid = ["gce"]', "did you mean 'when'"),
    _toml('allow = ["aws"]\n¦Forbid = ["gce"]', "did you mean 'forbid'"),
    _toml('allow = ["aws"]\n¦weight = 3', "no key of a rule"),
    _toml('allow = ¦"aws"', "must be a list"),
    _toml('forbid = ¦5', "must be a list"),
    _toml('allow = ¦[]', "empty"),
    _toml('allow = ["aws", ¦5]', "holds names"),
    _toml('allow = ["aws", ¦""]', "empty or too long"),
    _toml('allow = ["aws",\n  "gce",\n  ¦"aws"]', "twice"),
    _toml('allow = ["aws", ¦"gcee"]', "did you mean 'gce'"),
    _toml('forbid = [¦"asw"]', "did you mean 'aws'"),
    _toml('prefer = [¦"nowhere"]', "no pool"),
    _toml('allow = ["aws", "gce"]\nforbid = ["branch", ¦"gce"]', "both allowed and forbidden"),
    _toml('allow = ["*"]\nforbid = [¦"*"]', "both allowed and forbidden"),
    _toml('prefer = ["gce"]\nforbid = [¦"gce"]', "both preferred and forbidden"),
    _toml('forbid = ["*"]\ncloud = ¦"prefer"', "every pool is forbidden"),
    _toml('cloud = ¦"alow"', "did you mean 'allow'"),
    _toml('cloud = ¦true', "allow, prefer or never"),
    _toml('require_tags = ¦"fast"', "must be a list"),
    _toml('require_tags = ["fast", ¦["x"]]', "holds names"),
    _toml('cap = ¦5', "cap is a table"),
    _toml('cap = ¦{pool = "aws"}', "neither slots nor a share"),
    _toml('cap = {pool = "aws", ¦slot = 5, share = 0.5}', "did you mean 'slots'"),
    _toml('cap = {pool = "aws", slots = ¦-1}', "whole number"),
    _toml('cap = {pool = "aws", slots = ¦1.5}', "whole number"),
    _toml('cap = {pool = "aws", share = ¦1.5}', "from 0 to 1"),
    _toml('cap = {pool = ¦"awss", slots = 1}', "did you mean 'aws'"),
    _toml('cap = {pool = ¦7, slots = 1}', "must be a name"),
    _toml('cap = [{pool = "aws", slots = 1}, ¦3]', "cap is a table"),
    _toml('cap = ¦[]', "cap is empty"),
    _toml('[rules.cap]\npool = "aws"\n¦slotz = 3\nslots = 1', "did you mean 'slots'"),
    _toml('allow = ["aws"]\nnote = ¦5', "must be a text"),
    _case("toml", f'{GOOD}¦[[rules]]\nname = "bad"\n', 1, "does nothing"),
    _case("toml", f'{GOOD}¦[[rules]]\nallow = ["aws"]\n', 1, "has no name"),
    _case("toml", f'{GOOD}[[rules]]\nname = ¦""\nallow = ["aws"]\n', 1, "name is empty"),
    _case("toml", f'{GOOD}[[rules]]\nname = ¦7\nallow = ["aws"]\n', 1, "must be a text"),
    _case("toml", f'{GOOD}[[rules]]\nname = ¦"{"x" * 201}"\nallow = ["aws"]\n', 1, "more than 200"),
    _case("toml", f'{GOOD}[[rules]]\nname = ¦"a\\nb"\nallow = ["aws"]\n', 1, "cannot be shown"),
    _case("toml", f'{GOOD}[[rules]]\nname = ¦"good"\nallow = ["aws"]\n', 1, "this name already"),
)  # fmt: skip

DOCUMENTS = (
    _case("toml", f'{GOOD}[[¦rule]]\nname = "x"\n', None, "did you mean 'rules'"),
    _case("toml", "rules = ¦5\n", None, "list of tables"),
    _case("toml", '¦[rules]\nname = "x"\n', None, "[[rules]]"),
    _case("toml", "rules = [¦5]\n", 0, "a rule is a table"),
    _case("toml", f"{GOOD}name =¦\n", None, "not TOML"),
    _case("toml", '[[rules]]\nname = "x"\nname = "y"¦\n', None, "not TOML"),
    _case("toml", "[[rules¦]\n", None, "not TOML"),
    _case("toml", "[[rules]]\nname = ¦x\n", None, "not TOML"),
    _case("json", '{"rules": []¦', None, "not JSON"),
    _case("json", '{"rules": [{"name": "x", ¦}]}', None, "not JSON"),
    _case("json", '{"rules": [{"name": "x", ¦"name": "y"}]}', None, "there twice"),
    _case("json", '{"rules": ¦{}}', None, "list of tables"),
    _case("json", '¦"rules"', None, "list of tables"),
    _case("json", '{"rules": [],\n ¦"ruels": []}', None, "did you mean 'rules'"),
    _case("json", '{"rules": [\n  {"name": "x", "allow": ["aws"]},\n  ¦null]}', 1, "a rule is a table"),
    _case("json", '[{"name": "x", "when": "\\"\\ud83d\\ude00\\" == job.¦nme", "allow": ["aws"]}]', 0, "nme"),
    _case("json", '[{"name": "x", "when": "true &&\\n job.¦nme == 1", "allow": ["aws"]}]', 0, "nme"),
    _case("json", '[{"name": "x", "allow": ["aws"], "cap": {"slots": ¦true}}]', 0, "whole number"),
    _case("yaml", "rules:\n  - name: x\n    ¦alow: [aws]\n    forbid: [gce]\n", 0, "did you mean 'allow'"),
    _case("yaml", "rules:\n  - name: x\n    allow: ¦aws\n", 0, "must be a list"),
    _case("yaml", "rules:\n  - name: x\n    allow:\n      - aws\n      - ¦gc\n", 0, "no pool 'gc'"),
    _case("yaml", "- name: x\n  when: job.¦nme == 'y'\n  allow: [aws]\n", 0, "did you mean 'name'"),
    _case("yaml", "- name: x\n  when: 'job.name == ''y'' && job.¦nme == 1'\n  allow: [aws]\n", 0, "nme"),
    _case("yaml", '- name: x\n  when: "job.name == \\"y\\" && job.¦nme == 1"\n  allow: [aws]\n', 0, "nme"),
    _case("yaml", "- name: x\n  when: |\n    job.name == 'y'\n    && job.¦nme == 1\n  allow: [aws]\n", 0, "nme"),
    _case("yaml", "- name: x\n  when: >-\n    job.name == 'y'\n\n    && job.¦nme == 1\n  allow: [aws]\n", 0, "nme"),
    _case("yaml", "- name: x\n  when: job.name == 'y'\n    && job.¦nme == 1\n  allow: [aws]\n", 0, "nme"),
    _case("yaml", "- name: x\n  when: ¦yes\n  allow: [aws]\n", 0, "condition in quotes"),
    _case("yaml", "- name: ¦5\n  allow: [aws]\n", 0, "must be a text"),
    _case("yaml", "- name: x\n  allow: [aws]\n  ¦name: y\n", None, "there twice"),
    _case("yaml", "- name: x\n  ¦3: [aws]\n", None, "a key must be a text"),
    _case("yaml", "- name: &n x\n  allow: [aws]\n- name: ¦*n\n  allow: [aws]\n", None, "aliases"),
    _case("yaml", "- name: x\n  allow: [aws\n¦", None, "not YAML"),
    _case("yaml", "- name: x\n  allow: ¦!!python/object:os.system [aws]\n", None, "is not used in rules"),
    _case("yaml", "- name: x\n¦\tallow: [aws]\n", None, "not YAML"),
    _case("yaml", '- name: "x\n¦', None, "not YAML"),
)  # fmt: skip

CASES = (*CONDITIONS, *WRITTEN, *KEYS, *DOCUMENTS)
