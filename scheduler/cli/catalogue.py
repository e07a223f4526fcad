"""Which verbs there are, under which heading, and where each is found; a line is the docstring's first."""

from __future__ import annotations

from scheduler.cli.groups import Place, Places


def _verbs(panel: str, module: str, **lines: str) -> Places:
    """Verbs of one module: name to line. The function has the verb's name."""
    return tuple((name, Place(f"scheduler.cli.{module}:{name}", line, panel)) for name, line in lines.items())


def _group(panel: str, name: str, line: str, verbs: Places) -> Places:
    return ((name, Place(help=line, panel=panel, verbs=verbs)),)


COMMANDS = "Commands"
FARM, JOBS, ADMIN = "Run a farm", "Jobs and frames", "Look after a farm"

FRAMES = _verbs(
    COMMANDS,
    "frames",
    ls="List the frames of a job: which are there, and what became of the others.",
    get="Download the published frames; what is there already is not fetched again.",
    check="Find frames that are missing, black or corrupt; exits with 1 if there is one.",
    sheet="Write a contact sheet of the published frames.",
)
TOKENS = _verbs(
    COMMANDS,
    "tokens",
    new="Make a token, or a join code for a worker; it is never shown again.",
    ls="List the valid tokens and join codes, without their secrets.",
    revoke="End tokens at once.",
)
DATABASE = _verbs(COMMANDS, "database", upgrade="Bring the database of an older release up to date.")
CONFIG = _verbs(COMMANDS, "config", show="Show the settings as a scheduler that is started here would see them.")
ADDONS = _verbs(COMMANDS, "addons", build="Build the add-on for a program and print the path of its zip.")
SHOTGRID = (
    *_verbs(COMMANDS, "shotgrid", check="Check the connection to ShotGrid and the mapping of its fields."),
    *_verbs(
        COMMANDS,
        "tracker_outbox",
        outbox="List what still has to be told to ShotGrid, and what it refused or holds otherwise.",
        retry="Deliver messages again; a conflict that was shown is then overwritten.",
        drop="Never deliver messages; they stay in the list.",
    ),
)
RULES = _verbs(
    COMMANDS,
    "rules",
    check="Check a file of rules without a scheduler; exits with 1 if one would be refused.",
    explain="Explain which pools a job may use, and by which rules.",
    test="Try a job that does not exist under the rules in force, or those of a file.",
    show="Print the rules in force, or an older version, as they were written.",
    put="Put the rules of a file in force.",
    history="List the versions of the rules with who wrote them and when.",
    rollback="Put an older version of the rules in force again.",
)
CLOUD = (
    *_verbs(
        COMMANDS,
        "cloud_plan",
        plan="Say how many workers each pool would be given now, why, and which jobs need them.",
    ),
    *_verbs(
        COMMANDS,
        "cloud",
        ls="List the instances that the farm has launched, with what they cost, and troubles with their providers.",
        reap="End instances that carry the farm's label and that nobody wants; it happens each minute by itself, too.",
    ),
)
USERS = _verbs(
    COMMANDS,
    "users",
    ls="List the users with their points.",
    show="Show a user's points and what became of them.",
    grant="Give a user points.",
)
BENCHES = (
    *_verbs(COMMANDS, "bench", ao="Measure the ambient occlusion kernel."),
    *_verbs(COMMANDS, "bench_worker", worker="Measure the power of this machine as a worker."),
)

_DEPLOY = "scheduler.cli.deploy"
DEPLOY_AWS = "Make a network, roles, a bucket and a launch template at Amazon for a pool of workers."
DEPLOY_GCE = "Make a network, accounts, a bucket and an instance template at Google Cloud for a pool of workers."
TEARDOWN_AWS = "Remove from Amazon everything that `deploy aws` has made; a bucket that is not empty stays."
TEARDOWN_GCE = "Remove from Google Cloud everything that `deploy gce` has made; a bucket that is not empty stays."
DEPLOY = (
    ("aws", Place(f"{_DEPLOY}:deploy_aws", DEPLOY_AWS, COMMANDS)),
    ("gce", Place(f"{_DEPLOY}:deploy_gce", DEPLOY_GCE, COMMANDS)),
)
TEARDOWN = (
    ("aws", Place(f"{_DEPLOY}:teardown_aws", TEARDOWN_AWS, COMMANDS)),
    ("gce", Place(f"{_DEPLOY}:teardown_gce", TEARDOWN_GCE, COMMANDS)),
)

VERBS: Places = (
    *_verbs(
        FARM,
        "serving",
        up="Run a farm: the scheduler and N local workers.",
        scheduler="Run the scheduler alone; workers come from elsewhere.",
        worker="Run a worker for the scheduler at --server URL.",
    ),
    *_verbs(FARM, "init", init="Prepare a farm that serves HTTPS: its authority, its settings, what to do next."),
    *_verbs(FARM, "demo", demo="Render a short animation and a still on a farm in a temporary folder."),
    *_verbs(JOBS, "submit", submit="Submit a scene and print the job's ID."),
    *_verbs(JOBS, "jobs", jobs="List jobs, newest first, or show one with its tasks."),
    *_verbs(JOBS, "watch", watch="Follow a job until it ends; exits with 6 if it does not succeed."),
    *_verbs(
        JOBS,
        "jobs",
        cancel="Cancel jobs: what runs is stopped, published frames stay.",
        pause="Pause jobs: nothing new starts, what runs may finish.",
        resume="Let paused jobs go on.",
        retry="Give failed and canceled tasks all their attempts back.",
        priority="Change the priority of a job, or override what production wants for it.",
    ),
    *_verbs(JOBS, "cap", cap="Change the most that a job may cost in pools with a price."),
    *_verbs(JOBS, "priorities", priorities="List what production wants against what the farm does."),
    *_verbs(JOBS, "users", boost="Spend points of your own to raise a job's priority."),
    *_verbs(
        JOBS,
        "estimates",
        estimate="Say when a job will finish, how sure that is, and what it rests on.",
        estimates="Say how good the forecasts of jobs that have succeeded since were.",
    ),
    *_verbs(JOBS, "why", why="Explain a job: its rank, where it may run, what its tasks wait for."),
    *_verbs(JOBS, "simulate", simulate="Replay a trace under rules and policies and compare who waits how long."),
    *_group(JOBS, "frames", "List, download, check and overview the frames of a job.", FRAMES),
    *_verbs(JOBS, "logs", logs="Print the log of a task."),
    *_verbs(
        ADMIN,
        "workers",
        workers="List the workers with what they have and what they run, or show one.",
        drain="Let workers finish what they run and take nothing new.",
        enable="Let workers take work again.",
    ),
    *_group(ADMIN, "cloud", "Instances beyond the studio's own machines.", CLOUD),
    *_verbs(
        ADMIN,
        "budget",
        budget="Show the budgets with what is spent, reserved and left; or with --by or --job what work has cost.",
    ),
    *_group(ADMIN, "rules", "Routing rules: where work may go.", RULES),
    *_group(ADMIN, "user", "Users and their points.", USERS),
    *_group(ADMIN, "token", "Make, list and revoke tokens and join codes.", TOKENS),
    *_verbs(ADMIN, "doctor", doctor="Check this installation; exits with 1 if something is broken."),
    *_verbs(
        ADMIN,
        "database",
        backup="Write a copy of the database and the uploaded scenes while the farm runs.",
        restore="Put a backup in the place of a farm that is stopped.",
    ),
    *_group(ADMIN, "db", "The farm's database.", DATABASE),
    *_group(ADMIN, "config", "The settings.", CONFIG),
    *_group(ADMIN, "addons", "Add-ons for artists' programs.", ADDONS),
    *_group(ADMIN, "shotgrid", "Production's tracker.", SHOTGRID),
    *_group(ADMIN, "bench", "Measure this machine.", BENCHES),
    *_group(ADMIN, "deploy", "Make what a farm needs at a cloud provider.", DEPLOY),
    *_group(ADMIN, "teardown", "Remove what `deploy` has made.", TEARDOWN),
)
