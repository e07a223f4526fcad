"""What a farm needs at Google Cloud: a network that nobody can enter, accounts that may do little, a bucket. Pure.

Addresses are private; a network without firewall rules lets nobody in. What leaves goes through Cloud NAT, unless
`nat` is false: then instances reach what is inside, and Google's own services. Networks, routers and firewalls take no
labels, so these are known by their names and by a line in their descriptions. Prices are Google's list prices of
us-central1 as of 2025; another region's are said with --price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from scheduler.deploying.design import LABEL, Design, Piece, priced
from scheduler.deploying.scheduler_script import SchedulerBoot, scheduler_script
from scheduler.errors import Refused

RANGE = "10.78.0.0/20"
PORT = 8000
USD_PER_HOUR: Mapping[str, float] = {"router": 0.0014 + 0.005, "scheduler": 0.0335 + 30 * 0.10 / 730}
"""us-central1, 2025: Cloud NAT for one instance (each further one 0.0014, up to 0.044) with its address; an e2-medium
with 30 GiB of balanced disk. Traffic comes on top."""

SCHEDULER_TYPE = "e2-medium"
SCHEDULER_IMAGE = "projects/debian-cloud/global/images/family/debian-12"
WORKER_IMAGE = SCHEDULER_IMAGE
WORKER_TYPE = "c3-standard-8"

SCHEDULER_ROLES = ("roles/compute.instanceAdmin.v1", "roles/storage.objectAdmin")
"""What the scheduler's account needs; who may give roles gives them: a command is printed, nothing is done."""

ORDER = (
    *("network", "subnetwork", "router", "firewall-scheduler", "worker-account", "scheduler-account", "bucket"),
    *("instance-template", "scheduler"),
)
"""Every piece that any design has, in the order in which they are made."""

_PROJECT = re.compile(r"[a-z][a-z0-9:.-]{4,48}[a-z0-9]")


@dataclass(frozen=True)
class GceChoices:
    """What the admin chooses."""

    farm: str
    project: str
    region: str
    zone: str
    nat: bool = True
    start_scheduler: bool = False
    package: str = "outfield"
    index: str = ""
    prices: Mapping[str, float] = field(default_factory=dict[str, float])


def gce_design(choices: GceChoices) -> Design:
    """All pieces, with what each costs."""
    pieces = [*_network(choices), *_accounts(), _bucket(choices), _template()]
    if choices.start_scheduler:
        pieces += _scheduler(choices)
    pieces.sort(key=lambda piece: ORDER.index(piece.name))
    return Design("gce", choices.farm, f"{choices.project} {choices.zone}", tuple(pieces), _notes(choices))


def project_name(text: str) -> str:
    """A project's id.

    Raises:
        Refused: it is none.
    """
    if _PROJECT.fullmatch(text) is None:
        raise Refused(f"{text[:60]!r} is no project's id.", code="invalid_name", hint="See `gcloud projects list`.")
    return text


def resource_name(farm: str, piece: str) -> str:
    """The name of a piece at Google. Accounts have at most 30 letters, so a farm's name has at most 20."""
    short = {"worker-account": "w", "scheduler-account": "s", "network": ""}.get(piece, piece)
    return f"of-{farm}-{short}" if piece.endswith("-account") else f"outfield-{farm}{'-' if short else ''}{short}"


def bucket_name(farm: str, project: str) -> str:
    """Buckets are named for the whole world, so the project is part of it."""
    return f"outfield-{farm}-{project}".replace(":", "-").replace(".", "-")[:63]


def description(farm: str) -> str:
    """What stands in the description of pieces that take no labels."""
    return f"{LABEL}={farm}"


def account_email(farm: str, piece: str, project: str) -> str:
    """The address of a service account."""
    return f"{resource_name(farm, piece)}@{project}.iam.gserviceaccount.com"


def _network(choices: GceChoices) -> list[Piece]:
    nat = "Cloud NAT: outbound connections of workers"
    return [
        Piece("network", "without a firewall rule: nobody may connect to workers"),
        Piece("subnetwork", f"{RANGE} in {choices.region}, Google's services reached inside", ("network",)),
        *(
            [Piece("router", nat, ("network", "subnetwork"), priced(USD_PER_HOUR, choices.prices, "router"))]
            if choices.nat
            else []
        ),
    ]


def _accounts() -> list[Piece]:
    return [
        Piece("worker-account", "workers: may do nothing; they get signed addresses"),
        Piece("scheduler-account", f"the scheduler's; it wants {' and '.join(SCHEDULER_ROLES)}"),
    ]


def _bucket(choices: GceChoices) -> Piece:
    name = bucket_name(choices.farm, choices.project)
    return Piece("bucket", f"{name}: private, unfinished uploads removed after 7 days", spec={"name": name})


def _template() -> Piece:
    return Piece(
        "instance-template",
        f"workers: {WORKER_TYPE}, no public address, shielded, deleted when their time is over",
        ("subnetwork", "worker-account"),
        spec={"type": WORKER_TYPE, "image": WORKER_IMAGE},
    )


def _scheduler(choices: GceChoices) -> list[Piece]:
    script = scheduler_script(SchedulerBoot(choices.farm, choices.package, choices.index, PORT))
    return [
        Piece(
            "firewall-scheduler", f"scheduler: port {PORT} from the network alone", ("network",),
            spec={"port": PORT, "source": RANGE},
        ),
        Piece(
            "scheduler", f"{SCHEDULER_TYPE} with 30 GiB in {choices.zone}, without a public address",
            ("subnetwork", "scheduler-account", "firewall-scheduler", *(("router",) if choices.nat else ())),
            priced(USD_PER_HOUR, choices.prices, "scheduler"),
            {"type": SCHEDULER_TYPE, "image": SCHEDULER_IMAGE, "script": script, "disk_gib": 30},
        ),
    ]  # fmt: skip


def _notes(choices: GceChoices) -> tuple[str, ...]:
    email = account_email(choices.farm, "scheduler-account", choices.project)
    grants = tuple(
        f"gcloud projects add-iam-policy-binding {choices.project} --member serviceAccount:{email} --role {role}"
        for role in SCHEDULER_ROLES
    )
    return (
        "Workers reach the internet through Cloud NAT; nobody reaches them."
        if choices.nat
        else "Workers reach Google's services and nothing else outside: their image needs the agent.",
        f"All of it is known by {LABEL}={choices.farm}; `outfield teardown gce` removes what carries it.",
        "Costs of traffic, of stored gigabytes and of workers come on top.",
        "The scheduler's rights are for whoever may give them; this command gives none:",
        *grants,
    )
