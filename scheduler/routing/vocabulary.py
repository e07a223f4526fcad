"""The words that a rule's condition may use: every fact with its type, its empty value and how often it changes.

It owns the names and what they default to, not their values (`scheduler.routing.facts`) and not how conditions are
read (`scheduler.routing.expressions`). A fact that nobody knows has its empty value, so that no rule fails for a gap.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["text", "int", "double", "bool", "texts", "open"]
Pace = Literal["fixed", "moving", "shared"]
"""`fixed`: the same as long as the job lives; `moving`: may differ at every tick; `shared`: the same for all jobs."""

EMPTY: Mapping[Kind, Any] = {"text": "", "int": 0, "double": 0.0, "bool": False, "texts": (), "open": ""}

ENDLESS_S = 1e12
"""Seconds of slack of a job without a deadline: more than any rule asks for, so that it never counts as late."""

SLACK = "deadline_slack_s"
"""The method `job.deadline_slack_s("POOL")`: seconds to spare if the job ran there; negative: it will be late."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: its dotted path (NAME stands for a name of the studio's choice), type, pace, and what it says."""

    path: str
    kind: Kind
    pace: Pace
    words: str
    empty: Any = None

    @property
    def nothing(self) -> Any:
        """The value of this fact where nobody knows it."""
        return EMPTY[self.kind] if self.empty is None else self.empty


def _facts(root: str, pace: Pace, *rows: tuple[str, Kind, str] | tuple[str, Kind, str, Any]) -> list[Fact]:
    return [
        Fact(f"{root}.{row[0]}", row[1], pace, row[2], row[3] if len(row) == 4 else None)
        for row in rows
    ]  # fmt: skip


FACTS: tuple[Fact, ...] = (
    *_facts(
        "job",
        "fixed",
        ("id", "text", "the jobID, e.g. 00042; empty for a job that was not submitted"),
        ("name", "text", "its name"),
        ("owner", "text", "who submitted it"),
        ("renderer", "text", "kernel, blender, mitsuba …"),
        ("frames", "int", "how many frames it has"),
        ("tasks", "int", "how many tasks it has"),
        ("cloud", "text", "allow, prefer or never, as submitted", "allow"),
        ("project", "text", "the project, from the tracker or as submitted"),
        ("shot", "text", "the shot"),
        ("pools", "texts", "the pools that the submission names"),
        ("requires.vcpus", "int", "processors that one task needs", 1),
        ("requires.memory_gib", "double", "memory that one task needs, GiB"),
        ("requires.gpus", "int", "GPUs that one task needs"),
        ("requires.tags", "texts", "tags that a worker must have"),
        ("tracking.project", "text", "as submitted"),
        ("tracking.sequence", "text", "as submitted"),
        ("tracking.shot", "text", "as submitted"),
        ("tracking.task", "text", "as submitted"),
        ("tracking.task_id", "int", "as submitted"),
        ("tracking.version", "text", "as submitted"),
        ("metadata.NAME", "open", "whatever the submission put there: a text, a number, true/false or a list of them"),
    ),
    *_facts(
        "job",
        "moving",
        ("priority", "int", "the priority in force, 0 to 100"),
        ("boost", "double", "points of priority that its owner has bought"),
        ("age_s", "double", "seconds since it was submitted"),
        ("deadline", "text", "the deadline in force, ISO 8601 in UTC; empty without one"),
        ("has_deadline", "bool", "whether there is one"),
        ("deadline_s", "double", "seconds until the deadline; 1e12 without one", ENDLESS_S),
    ),
    *_facts(
        "tracking",
        "moving",
        ("known", "bool", "whether the tracker has said anything of this job"),
        ("source", "text", "the field that the priority came from, e.g. Shot.sg_priority"),
        ("priority", "int", "the tracker's priority"),
        ("status", "text", "the tracker's status that holds the job back, e.g. hld"),
        ("deadline_s", "double", "seconds until the tracker's due date; 1e12 without one", ENDLESS_S),
        ("age_s", "double", "how old this knowledge is, seconds"),
    ),
    *_facts(
        "estimate",
        "moving",
        ("known", "bool", "whether there is an estimate"),
        ("finish_s", "double", "seconds until the job is expected to finish"),
        ("low_s", "double", "the same at best"),
        ("high_s", "double", "the same at worst"),
        ("frame_s", "double", "seconds of one frame on the reference machine"),
        ("work_s", "double", "seconds of work left, all tasks together"),
        ("basis", "text", "where the estimate comes from"),
    ),
    *_facts(
        "pools.NAME",
        "shared",
        ("backend", "text", "onprem, gce, aws, slurm or site"),
        ("workers", "int", "workers that are here now"),
        ("slots", "int", "slots of these workers"),
        ("running", "int", "tasks that run there"),
        ("free", "int", "slots that nothing runs on"),
        ("workers_max", "int", "most workers that there may be; 0: no bound is set"),
        ("price_usd_per_hour", "double", "price of one worker"),
    ),
    *_facts(
        "budget.NAME",
        "shared",
        ("set", "bool", "whether this budget is set"),
        ("usd", "double", "money for one period"),
        ("spent_usd", "double", "spent in this period"),
        ("left_usd", "double", "left in this period; 0 where no budget is set"),
        ("used", "double", "the part that is spent, 0 to 1"),
    ),
    *_facts(
        "now",
        "shared",
        ("hour", "int", "0 to 23, on the studio's clock"),
        ("minute", "int", "0 to 59"),
        ("time", "text", "e.g. 22:30, to compare with other times of day"),
        ("weekday", "int", "1 (Monday) to 7 (Sunday)"),
        ("weekend", "bool", "Saturday or Sunday"),
        ("date", "text", "e.g. 2026-12-01"),
        ("zone", "text", "the studio's time zone"),
    ),
)  # fmt: skip

FUNCTIONS = frozenset({
    "size", "contains", "startsWith", "endsWith", "matches", "string", "int", "uint", "double", "type", "dyn", "bytes",
    "timestamp", "duration", "getFullYear", "getMonth", "getDayOfMonth", "getDayOfWeek", "getDayOfYear", "getDate",
    "getHours", "getMinutes", "getSeconds", "getMilliseconds", "has", "all", "exists", "exists_one", "map", "filter",
})  # fmt: skip
"""Functions, methods and macros of CEL (https://github.com/google/cel-spec) that conditions may call."""

METHODS_ONLY = frozenset(
    {"contains", "startsWith", "endsWith", "matches", "all", "exists", "exists_one", "map", "filter"}
)
MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
"""Macros that bind a name of their own: `job.requires.tags.exists(tag, tag == "linux")`."""

TYPES = frozenset({"int", "uint", "double", "bool", "string", "bytes", "list", "map"})

USUAL_POOLS = frozenset({"onprem", "aws", "gce", "cluster", "branch"})
"""Pools that rules may speak of before they are set up: the names that the documentation gives them."""

BUDGETS = frozenset({"farm"})
"""The budget that every condition may name, set or not."""


@dataclass(frozen=True)
class Names:
    """The names that this farm gives its pools and budgets; None: not known here, so any name passes."""

    pools: frozenset[str] | None = None
    budgets: frozenset[str] | None = None

    @classmethod
    def of(cls, pools: Iterable[str], budgets: Iterable[str]) -> Names:
        """The names of a farm, with those that every farm may speak of."""
        return cls(USUAL_POOLS | frozenset(pools), BUDGETS | frozenset(budgets))


Tree = dict[str, "Tree | Fact"]


def _tree() -> Tree:
    root: Tree = {}
    for fact in FACTS:
        *parts, last = fact.path.split(".")
        node = root
        for part in parts:
            inner = node.setdefault(part, {})
            assert isinstance(inner, dict)
            node = inner
        node[last] = fact
    return root


TREE = _tree()
ROOTS = tuple(TREE)
BY_PATH: Mapping[str, Fact] = {fact.path: fact for fact in FACTS}


class Unknown(Exception):
    """No such fact; `part` is the index of the part of the path that is not known."""

    def __init__(self, part: int, message: str) -> None:
        self.part, self.message = part, message
        super().__init__(message)


def resolve(path: tuple[str, ...], names: Names) -> tuple[str, Fact]:
    """The fact that a path reads: its dotted path as far as it is a fact's, and the fact.

    `job.requires.tags` may be followed by more (an index); a fact's own parts may not.

    Raises:
        Unknown: no such fact, naming the nearest one.
    """
    node: Tree | Fact = TREE
    for index, part in enumerate(path):
        if isinstance(node, Fact):
            raise Unknown(index, f"{'.'.join(path[:index])} is a single value and has no {part!r}")
        node = _inner(node, path, index, names)
    if isinstance(node, Fact):
        return ".".join(path), node
    if path == ("job", "metadata"):
        return "job.metadata", Fact("job.metadata", "open", "fixed", "all of the metadata")
    raise Unknown(len(path) - 1, f"name one of the facts of {'.'.join(path)}: {', '.join(_shown(node))}")


def _inner(node: Tree, path: tuple[str, ...], index: int, names: Names) -> Tree | Fact:
    part = path[index]
    if "NAME" in node:
        known = names.pools if path[0] == "pools" else names.budgets if path[0] == "budget" else None
        if known is not None and part not in known:
            raise Unknown(index, f"there is no {path[0].removesuffix('s')} {part!r}{nearest(part, known)}")
        return node["NAME"]
    if part not in node:
        whose = f" of {'.'.join(path[:index])}" if index else ""
        raise Unknown(index, f"{part!r} is no fact{whose}{nearest(part, node)}")
    return node[part]


def _shown(node: Tree) -> Iterator[str]:
    return (name for name in node if name != "NAME")


def nearest(word: str, known: Collection[str]) -> str:
    """`; did you mean 'x'?`, or what there is, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    if near:
        return f"; did you mean {near[0]!r}?"
    return f"; known are {', '.join(sorted(known))}" if 0 < len(known) <= KNOWN_SHOWN_MAX else ""


KNOWN_SHOWN_MAX = 12
"""Names that are listed where none is near."""
