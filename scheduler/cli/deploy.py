"""`deploy` and `teardown`: the ground of a farm at a cloud provider, shown with its cost before anything is done."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.deploy_words import lines_for_settings, plan_rows, price_line
from scheduler.cli.exits import ExitCode, Usage
from scheduler.cli.output import Column
from scheduler.cli.session import Cli
from scheduler.errors import Conflict

if TYPE_CHECKING:
    from scheduler.deploying.design import Change, Design
    from scheduler.deploying.hands import Hands

FarmOption = Annotated[str, typer.Option("--farm", metavar="NAME", help="the deployment's name")]
RegionOption = Annotated[str, typer.Option("--region", metavar="NAME", help="AWS region, e.g. eu-central-1")]
ProfileOption = Annotated[str | None, typer.Option("--profile", metavar="NAME", help="profile of the AWS CLI")]
ProjectOption = Annotated[str, typer.Option("--project", metavar="ID", help="Google Cloud project")]
ZoneOption = Annotated[str, typer.Option("--zone", metavar="NAME", help="zone, e.g. europe-west1-b")]
StartOption = Annotated[bool, typer.Option("--start-scheduler", help="run the scheduler there, too")]
NatOption = Annotated[bool, typer.Option("--nat/--no-nat", help="may workers reach the internet?")]
PackageOption = Annotated[str, typer.Option("--package", metavar="NAME|URL", help="what pip installs there")]
IndexOption = Annotated[str, typer.Option("--index", metavar="URL", help="package index; pip's own if not set")]
PriceOption = Annotated[
    list[str] | None, typer.Option("--price", metavar="PIECE=USD", help="what a piece costs an hour in your region")
]
DryOption = Annotated[bool, typer.Option("--dry-run", help="show the plan and do nothing")]
YesOption = Annotated[bool, typer.Option("--yes", help="do not ask")]
EndpointOption = Annotated[str | None, typer.Option("--endpoint", hidden=True)]


def deploy_aws(
    cli: Cli,
    region: RegionOption,
    farm: FarmOption = "outfield",
    profile: ProfileOption = None,
    start_scheduler: StartOption = False,
    nat: NatOption = True,
    package: PackageOption = "outfield",
    index: IndexOption = "",
    price: PriceOption = None,
    dry_run: DryOption = False,
    yes: YesOption = False,
    endpoint: EndpointOption = None,
) -> ExitCode:
    """Make a network, roles, a bucket and a launch template at Amazon for a pool of workers.

    Shows every piece and what it costs an hour first, and asks. Given again, it makes what is missing.
    """
    from scheduler.deploying.aws import AwsHands
    from scheduler.deploying.aws_design import AwsChoices, aws_design
    from scheduler.deploying.design import farm_name

    prices = _prices(price)
    hands = AwsHands(farm_name(farm), region, profile=profile, endpoint=endpoint)
    choices = AwsChoices(farm, region, hands.account(), hands.zones(), nat, start_scheduler, package, index, prices)
    return _deploy(cli, aws_design(choices), hands, dry_run=dry_run, yes=yes)


def deploy_gce(
    cli: Cli,
    project: ProjectOption,
    zone: ZoneOption,
    farm: FarmOption = "outfield",
    start_scheduler: StartOption = False,
    nat: NatOption = True,
    package: PackageOption = "outfield",
    index: IndexOption = "",
    price: PriceOption = None,
    dry_run: DryOption = False,
    yes: YesOption = False,
    endpoint: EndpointOption = None,
) -> ExitCode:
    """Make a network, accounts, a bucket and an instance template at Google Cloud for a pool of workers.

    Shows every piece and what it costs an hour first, and asks. Given again, it makes what is missing.
    """
    from scheduler.deploying.design import farm_name
    from scheduler.deploying.gce import GceHands
    from scheduler.deploying.gce_design import GceChoices, gce_design, project_name

    prices = _prices(price)
    farm, project = farm_name(farm), project_name(project)
    choices = GceChoices(farm, project, zone.rpartition("-")[0], zone, nat, start_scheduler, package, index, prices)
    return _deploy(cli, gce_design(choices), GceHands(farm, project, zone, endpoint=endpoint), dry_run=dry_run, yes=yes)


def teardown_aws(
    cli: Cli,
    region: RegionOption,
    farm: FarmOption = "outfield",
    profile: ProfileOption = None,
    dry_run: DryOption = False,
    yes: YesOption = False,
    endpoint: EndpointOption = None,
) -> ExitCode:
    """Remove from Amazon everything that `deploy aws` has made; a bucket that is not empty stays."""
    from scheduler.deploying.aws import AwsHands
    from scheduler.deploying.aws_design import ORDER
    from scheduler.deploying.design import farm_name

    hands = AwsHands(farm_name(farm), region, profile=profile, endpoint=endpoint)
    return _tear_down(cli, ORDER, hands, dry_run=dry_run, yes=yes)


def teardown_gce(
    cli: Cli,
    project: ProjectOption,
    zone: ZoneOption,
    farm: FarmOption = "outfield",
    dry_run: DryOption = False,
    yes: YesOption = False,
    endpoint: EndpointOption = None,
) -> ExitCode:
    """Remove from Google Cloud everything that `deploy gce` has made; a bucket that is not empty stays."""
    from scheduler.deploying.design import farm_name
    from scheduler.deploying.gce import GceHands
    from scheduler.deploying.gce_design import ORDER, project_name

    hands = GceHands(farm_name(farm), project_name(project), zone, endpoint=endpoint)
    return _tear_down(cli, ORDER, hands, dry_run=dry_run, yes=yes)


def _deploy(cli: Cli, design: Design, hands: Hands, *, dry_run: bool, yes: bool) -> ExitCode:
    from scheduler.deploying.design import to_make
    from scheduler.deploying.hands import make_all

    changes = to_make(design, hands.find())
    missing = [change for change in changes if change.action == "make"]
    _show(cli, changes, f"{design.cloud} {design.place}", (price_line(changes), *design.notes))
    if not missing:
        cli.output.note("Everything is there already.")
    elif dry_run or not _agreed(cli, f"Make {len(missing)} pieces?", yes=yes):
        return _nothing_done(cli, dry_run=dry_run)
    ids = make_all(design, hands, lambda change: cli.output.note(f"made {change.piece}: {change.id}"))
    snippet = lines_for_settings(design, ids)
    if cli.output.as_json:
        cli.output.data({"pieces": ids, "settings": snippet})
    else:
        cli.output.note("Put this into outfield.toml:")
        for line in snippet:
            cli.output.line(line)
    return ExitCode.OK


def _tear_down(cli: Cli, order: Sequence[str], hands: Hands, *, dry_run: bool, yes: bool) -> ExitCode:
    from scheduler.deploying.design import to_remove
    from scheduler.deploying.hands import remove_all

    changes = to_remove(order, hands.find())
    going = [change for change in changes if change.action == "remove"]
    _show(cli, changes, "teardown", ())
    used = [change for change in changes if change.action == "keep" and change.piece != "bucket"]
    if used:
        raise Conflict(
            f"Nothing was removed: {used[0].words}.",
            code="still_used",
            hint="End the workers first: set the pool's workers_max to 0 and wait until they have gone.",
        )
    if not going:
        cli.output.note("Nothing of this farm is there." if not changes else "Nothing else of this farm is there.")
        return ExitCode.OK
    if dry_run or not _agreed(cli, f"Remove {len(going)} pieces for good?", yes=yes):
        return _nothing_done(cli, dry_run=dry_run)
    remove_all(changes, hands, lambda change: cli.output.note(f"removed {change.piece}: {change.id}"))
    if cli.output.as_json:
        cli.output.data({"removed": [change.id for change in going]})
    return ExitCode.OK


def _show(cli: Cli, changes: Iterable[Change], title: str, notes: Iterable[str]) -> None:
    """The plan: on stdout where it is what was asked for, as JSON only together with what was done."""
    if cli.output.as_json:
        return
    cli.output.note(title)
    columns = [Column("action", status=True), Column("piece"), Column("USD/h", right=True), Column("what", wrap=True)]
    cli.output.table(columns, plan_rows(changes), empty="Nothing.")
    for note in notes:
        cli.output.note(note)


def _agreed(cli: Cli, question: str, *, yes: bool) -> bool:
    """Has the user agreed? Without a terminal only --yes does."""
    if yes:
        return True
    if not sys.stdin.isatty() or cli.output.as_json:
        raise Usage(f"{question} Nobody can be asked here.", hint="Give --yes to go on, or --dry-run to look only.")
    return typer.confirm(question, default=False, err=True)


def _nothing_done(cli: Cli, *, dry_run: bool) -> ExitCode:
    cli.output.note("Nothing was done.")
    if cli.output.as_json:
        cli.output.data({"pieces": {}, "settings": []})
    return ExitCode.OK if dry_run else ExitCode.FAILED


def _prices(given: list[str] | None) -> dict[str, Any]:
    """PIECE=USD as numbers.

    Raises:
        Usage: one is not of that form.
    """
    prices: dict[str, float] = {}
    for text in given or []:
        name, _, usd = text.partition("=")
        try:
            prices[name] = float(usd)
        except ValueError as error:
            raise Usage(f"--price {text}: write it as nat-gateway=0.052.") from error
        if not 0 <= prices[name] < 1e6:
            raise Usage(f"--price {text}: that is no price.")
    return prices
