"""`simulate`: replay a trace under other rules and policies, and put what would have happened side by side."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.exits import Usage
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.errors import NotFound

if TYPE_CHECKING:
    from scheduler.routing.rules import RuleBook
    from scheduler.simulation.outcome import Outcome
    from scheduler.simulation.planner import Variant
    from scheduler.simulation.traces import Trace
    from scheduler.simulation.workload import Workload

SYNTAXES = {".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".json": "json"}
LEFT_COLUMNS = 2
"""Columns of names; the others are numbers and stand at the right."""

TraceArgument = Annotated[Path | None, typer.Argument(metavar="TRACE", help="trace, as `jobs --export` writes it")]


def simulate(
    cli: Cli,
    trace: TraceArgument = None,
    generate: Annotated[
        str | None, typer.Option(metavar="SPEC", help="generate the trace: shows=2,days=30,seed=7,workers=100 …")
    ] = None,
    rules: Annotated[list[Path] | None, typer.Option(metavar="FILE", help="routing rules; each is a variant")] = None,
    policy: Annotated[
        list[str] | None,
        typer.Option(metavar="P", help="default, edf, priority, KEY=VALUE,… or a TOML file; each is a variant"),
    ] = None,
    autoscale: Annotated[
        list[str] | None,
        typer.Option(metavar="A", help="none, static, twostate, demand or deadline for every pool; each is a variant"),
    ] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="picture to draw, .png or .svg")] = None,
    owners: Annotated[bool, typer.Option("--owners", help="a line for each owner instead of each project")] = False,
    failures: Annotated[float, typer.Option(min=0, max=0.9, metavar="P", help="chance that an attempt fails")] = 0.0,
    seed: Annotated[int, typer.Option(metavar="N", min=0, help="seed of what is left to chance")] = 0,
    save: Annotated[Path | None, typer.Option(metavar="FILE", help="write the generated trace here")] = None,
) -> None:
    """Replay a trace under rules and policies and compare who waits how long.

    Every combination of --rules, --policy and --autoscale is a variant. Without any, the farm's default policy without
    rules, and the pools' own autoscaling.
    """
    from scheduler.simulation.plotting import check_suffix
    from scheduler.simulation.reporting import report
    from scheduler.simulation.workload import prepare

    if plot is not None:
        check_suffix(plot)
    variants = _variants(rules or [], policy or [], autoscale or [])
    work = prepare(_trace(trace, generate, seed, save))
    outcomes = _replay(cli, work, variants, seed, failures)
    told = report(work, outcomes)
    if plot is not None:
        _draw(plot, outcomes, work.trace.farm.origin)
    if cli.output.as_json:
        return cli.output.data(told)
    return _print(cli, told, "owners" if owners else "projects")


def _replay(cli: Cli, work: Workload, variants: list[Variant], seed: int, failures: float) -> list[Outcome]:
    from scheduler.simulation.engine import simulate as replay
    from scheduler.simulation.options import Options

    cli.output.note(f"{len(work.jobs)} jobs, {work.task_count} tasks")
    outcomes: list[Outcome] = []
    for variant in variants:
        outcomes.append(replay(work, variant, Options(seed=seed, failure_rate=failures)))
        cli.output.note(f"{variant.name}: done")
    return outcomes


def _draw(path: Path, outcomes: list[Outcome], origin: str | None) -> None:
    from scheduler.simulation.plotting import plot

    try:
        plot(path.expanduser(), outcomes, origin)
    except OSError as error:
        raise Usage(f"{path} cannot be written: {error.strerror}.") from error


def _print(cli: Cli, told: dict[str, Any], groups: str) -> None:
    from scheduler.simulation.reporting import POOL_TITLES, ROW_TITLES, pool_rows, rows

    titles = [title if title != "Project" or groups == "projects" else "Owner" for title in ROW_TITLES]
    cli.output.table(_columns(titles), rows(told, groups))
    cli.output.table(_columns(POOL_TITLES), pool_rows(told))


def _columns(titles: Any) -> list[Column]:
    return [Column(title, right=place >= LEFT_COLUMNS, wrap=place == 0) for place, title in enumerate(titles)]


def _trace(path: Path | None, spec: str | None, seed: int, save: Path | None) -> Trace:
    from scheduler.simulation.generating import generate, read_spec
    from scheduler.simulation.traces import read_trace, write_trace

    if (path is None) == (spec is None):
        raise Usage("Name a TRACE, or say with --generate what to generate.")
    if path is not None:
        try:
            with path.expanduser().open("rb") as lines:
                return read_trace(lines)
        except FileNotFoundError as error:
            raise NotFound(
                f"There is no file {path}.", code="no_trace", hint="`outfield jobs --export FILE` writes one."
            ) from error
        except OSError as error:
            raise Usage(f"{path} cannot be read: {error.strerror}.") from error
    text = spec or ""
    made = generate(read_spec(text if "seed=" in text.replace(" ", "") else f"{text},seed={seed}"))
    if save is not None:
        with save.expanduser().open("wb") as file:
            file.writelines(write_trace(made))
    return made


def _variants(rules: list[Path], policies: list[str], autoscales: list[str]) -> list[Variant]:
    """Every combination, named by what differs."""
    from scheduler.domain.scaling import Policy
    from scheduler.simulation.planner import Variant
    from scheduler.simulation.variants import DEFAULT, VARIANTS_MAX, read_ordering

    books = [(path.name, _book(path)) for path in rules] or [("", None)]
    orderings = [read_ordering(text) for text in policies or [DEFAULT]]
    unknown = [name for name in autoscales if name not in set(Policy)]
    if unknown:
        raise Usage(f"--autoscale {unknown[0]!r} is none of {', '.join(Policy)}.")
    scales = [Policy(name) for name in autoscales] or [None]
    if len(books) * len(orderings) * len(scales) > VARIANTS_MAX:
        raise Usage(f"These would be more than {VARIANTS_MAX} variants; name fewer rules or policies.")
    many = len(orderings) > 1 or not (rules or autoscales)
    return [
        Variant(" · ".join(filter(None, [ordering.name if many else "", name, scale or ""])), ordering, book, scale)
        for (name, book), ordering, scale in product(books, orderings, scales)
    ]


def _book(path: Path) -> RuleBook:
    from scheduler.routing.reading_rules import read_rules
    from scheduler.routing.rules import RuleBook
    from scheduler.settings import Settings

    syntax: Any = SYNTAXES.get(path.suffix.lower())
    if syntax is None:
        raise Usage(f"{path.name}: rules are written in a file that ends in {', '.join(SYNTAXES)}.")
    try:
        text = path.expanduser().read_text("utf-8")
    except FileNotFoundError as error:
        raise NotFound(f"There is no file {path}.", code="no_rules", hint="Name a file with rules.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise Usage(f"{path} cannot be read as text.") from error
    # The rules may stand in an outfield.toml, beside the other sections.
    return RuleBook(1, read_rules(text, syntax, beside=Settings.model_fields.keys() - {"rules"}))
