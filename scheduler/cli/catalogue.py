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
BENCHES = _verbs(COMMANDS, "bench", ao="Measure the ambient occlusion kernel.")

VERBS: Places = (
    *_verbs(
        FARM,
        "serving",
        up="Run a farm: the scheduler and N local workers.",
        scheduler="Run the scheduler alone; workers come from elsewhere.",
        worker="Run a worker for the scheduler at --server URL.",
    ),
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
        priority="Change the priority of a job.",
    ),
    *_verbs(JOBS, "why", why="Explain a job: its rank, where it may run, what its tasks wait for."),
    *_group(JOBS, "frames", "List, download, check and overview the frames of a job.", FRAMES),
    *_verbs(JOBS, "logs", logs="Print the log of a task."),
    *_verbs(
        ADMIN,
        "workers",
        workers="List the workers with what they have and what they run, or show one.",
        drain="Let workers finish what they run and take nothing new.",
        enable="Let workers take work again.",
    ),
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
    *_group(ADMIN, "bench", "Measure this machine.", BENCHES),
)
