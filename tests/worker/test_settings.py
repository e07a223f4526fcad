"""One worker's settings: read once, refused with the name of what was meant."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from scheduler.protocol.workers import Capabilities
from worker import identity as identities
from worker.identity import Identity
from worker.settings import SettingsInvalid, WorkerSettings, load_worker_settings, prepare_environment

SERVER = "http://farm:8000"


def test_a_flag_wins_over_the_environment_and_that_over_the_default() -> None:
    environment = {
        "OUTFIELD_WORKER__SLOTS": "3",
        "OUTFIELD_WORKER__TAGS": "gpu, big",
        "OUTFIELD_SERVER": "x",
        "HOME": "/",
    }
    settings = load_worker_settings({"server": SERVER + "/", "slots": None, "pool": "aws"}, environment)
    assert (settings.slots, settings.tags, settings.pool, settings.server) == (3, ("gpu", "big"), "aws", SERVER)
    assert load_worker_settings({"server": SERVER, "slots": 2}, environment).slots == 2
    assert load_worker_settings({"server": SERVER}, {}).drain_s == 60.0


@pytest.mark.parametrize(
    ("flags", "environment", "words"),
    [
        ({}, {}, "--server"),
        ({"server": SERVER}, {"OUTFIELD_WORKER__SLOT": "2"}, "Did you mean 'slots'?"),
        ({"server": SERVER, "slots": 0}, {}, "'slots' is wrong"),
        ({"server": "farm:8000"}, {}, "http://scheduler:8000"),
        ({"server": "http://"}, {}, "http://scheduler:8000"),
        ({"server": "http://[farm"}, {}, "'server' is wrong"),
        ({"server": "http://farm:port"}, {}, "'server' is wrong"),
        ({"server": SERVER}, {"OUTFIELD_WORKER__DRAIN_S": "soon"}, "'drain_s' is wrong"),
    ],
)
def test_a_wrong_setting_is_named(flags: dict[str, object], environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_worker_settings(flags, environment)
    assert words in str(caught.value)


def test_renderers_inherit_no_secret_and_kernels_find_their_cache(tmp_path: Path) -> None:
    environment = {"OUTFIELD_WORKER__JOIN": "code", "OUTFIELD_TOKEN": "t", "PATH": "/bin"}
    settings = load_worker_settings({"server": SERVER, "cache": tmp_path}, environment)
    prepare_environment(settings, environment)
    assert environment == {"PATH": "/bin", "NUMBA_CACHE_DIR": str(tmp_path / "numba")}
    prepare_environment(settings.model_copy(update={"cache": Path("/other")}), environment)
    assert environment["NUMBA_CACHE_DIR"] == str(tmp_path / "numba"), "what the user has set stays"


# --- identity


def who(settings: WorkerSettings, **more: object) -> Identity:
    given = {
        "server": settings.server,
        "worker": "w1",
        "token": "secret",
        "farm": "f",
        "lease_s": 20.0,
        "renew_s": 6.0,
        "introduced": identities.introduced(identities.introduction(settings, capabilities())),
        **more,
    }
    return Identity(**given)  # type: ignore[arg-type]


def capabilities(**renderers: list[str]) -> Capabilities:
    return Capabilities(vcpus=2, memory_gib=4.0, renderers=renderers or {"null": ["1"]}, details={"pid": id(renderers)})


def test_an_identity_is_kept_whole_and_private(tmp_path: Path) -> None:
    settings = load_worker_settings({"server": SERVER}, {})
    assert identities.load_identity(tmp_path) is None
    identities.save_identity(tmp_path, who(settings))
    assert identities.load_identity(tmp_path) == who(settings)
    assert stat.S_IMODE((tmp_path / identities.FILE_NAME).stat().st_mode) == 0o600
    (tmp_path / identities.FILE_NAME).write_text('{"server":')
    assert identities.load_identity(tmp_path) is None


@pytest.mark.parametrize(
    ("join", "server", "found", "spool_empty", "kept"),
    [
        ("", SERVER, {"null": ["1"]}, True, True),
        ("code", SERVER, {"null": ["1"]}, True, True),
        ("code", "http://other:1", {"null": ["1"]}, True, False),
        ("code", SERVER, {"null": ["1"], "blender": ["4.2"]}, True, False),
        ("code", SERVER, {"null": ["1"], "blender": ["4.2"]}, False, True),
        ("", SERVER, {"null": ["1"], "blender": ["4.2"]}, True, True),
    ],
    ids=[
        "same",
        "same, with a code",
        "elsewhere",
        "new renderer",
        "new renderer, work to deliver",
        "new renderer, no code",
    ],
)
def test_a_worker_stays_itself_unless_it_has_news(
    join: str, server: str, found: dict[str, list[str]], spool_empty: bool, kept: bool
) -> None:
    before = load_worker_settings({"server": SERVER}, {})
    now = load_worker_settings({"server": server, "join": join}, {})
    hello = identities.introduction(now, capabilities(**found))
    assert identities.may_keep(who(before), now, hello, spool_empty=spool_empty) is kept
